"""Names of outputs are unique and short enough for a disk; names in tables show what tells images apart."""

import io

import pytest
from rich.console import Console

from vitrail.cli.table import grid
from vitrail.events import Table
from vitrail.unique_names import UniqueNames, distinct_names

LONG = "高清壁纸山川河流森林日出日落城市夜景" * 5  # 270 bytes


def test_each_name_is_given_once():
    names = UniqueNames()
    assert [names.free("a cat") for _ in range(3)] == ["a_cat", "a_cat-2", "a_cat-3"]
    assert names.free("A_CAT") == "A_CAT-4"  # a disk may take them for one


def test_a_long_name_keeps_both_ends_and_what_is_lost_tells_it_apart(tmp_path):
    names = UniqueNames()
    given = [f"{LONG}{number}{LONG}_integrated-gradients" for number in range(20)]
    short = [names.free(name) for name in given]
    assert len(set(short)) == 20
    assert all(name.startswith(LONG[:30]) and name.endswith("_integrated-gradients") for name in short)
    for name in short:
        (tmp_path / f"{name}_overlay.png").write_bytes(b"")
    assert UniqueNames().free(given[3]) == short[3]  # whatever came before
    assert UniqueNames().free("x" * 140) == "x" * 140


def test_bytes_that_are_not_utf_8_are_no_matter():
    assert UniqueNames().free("caf\udce9" * 60).isprintable()


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        (["d/a.jpg", "d/b.jpg"], ["a.jpg", "b.jpg"]),
        (["d/x/a.jpg", "d/y/a.jpg", "d/x/b.jpg"], ["x/a.jpg", "y/a.jpg", "b.jpg"]),
        (["1/x/a.jpg", "2/x/a.jpg", "2/y/a.jpg"], ["1/x/a.jpg", "2/x/a.jpg", "y/a.jpg"]),
        (["a.jpg", "x/a.jpg"], ["a.jpg", "x/a.jpg"]),
        (["d/a.jpg", "d/a.jpg"], ["a.jpg", "a.jpg"]),
        (["/a.jpg"], ["a.jpg"]),
        ([], []),
    ],
)
def test_as_much_of_a_path_as_tells_it_apart(files, expected):
    assert distinct_names(files) == expected


def test_a_narrow_table_leaves_out_the_folder_that_all_share():
    files = [f"/home/me/images/of/this/year/train/{name}/{LONG[:20]}.jpg" for name in ("brick", "gravel")]
    table = Table("predictions", "Predictions", ("image", "class"), [(file, "brick") for file in files])
    text = io.StringIO()
    Console(file=text, width=50).print(grid(table, 50))
    assert "…/brick/" in text.getvalue()
    assert "…/gravel/" in text.getvalue()
