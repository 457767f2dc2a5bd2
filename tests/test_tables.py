"""Tables that list images: CSV and Parquet say the same."""

import pyarrow
import pyarrow.parquet
import pytest

from vitrail.errors import BadFolder, MissingExtra
from vitrail.image_files import find_images
from vitrail.tables import columns_of, quote_formula, rows_of, unquote_formula


def written(path, **columns):
    if path.suffix == ".parquet":
        pyarrow.parquet.write_table(pyarrow.table(columns), path)
    else:
        rows = zip(*columns.values(), strict=True)
        lines = [",".join("" if value is None else str(value) for value in row) for row in (columns, *rows)]
        path.write_text("\ufeff" + "\n".join(lines) + "\n\n", encoding="utf-8")
    return path


@pytest.fixture(params=[".csv", ".parquet"])
def kind(request):
    return request.param


def test_files_come_in_the_order_of_the_table_relative_to_it(tmp_path, kind):
    table = written(tmp_path / f"list{kind}", number=[1, 2], file=["b/ü.jpg", "/elsewhere/a.jpg"])
    found = find_images([table])
    assert [str(file) for file in found] == [f"{tmp_path}/b/ü.jpg", "/elsewhere/a.jpg"]


def test_values_come_as_text_and_what_is_missing_is_empty(tmp_path, kind):
    table = written(tmp_path / f"t{kind}", file=["a", "b"], size=[3, None])
    assert columns_of(table) == ("file", "size")
    assert [(file, size.removesuffix(".0")) for file, size in rows_of(table, ("file", "size"))] == [
        ("a", "3"),
        ("b", ""),
    ]


def test_what_is_wrong_with_a_table_is_one_sentence(tmp_path, kind):
    with pytest.raises(BadFolder, match=r"has no column 'file'; its columns are 'name'. Use a first line"):
        find_images([written(tmp_path / f"a{kind}", name=["x"])])
    with pytest.raises(BadFolder, match="Row 2 of .* names no file"):
        find_images([written(tmp_path / f"b{kind}", file=["x", None], other=["1", "2"])])
    with pytest.raises(BadFolder, match="lists no image"):
        find_images([written(tmp_path / f"c{kind}", file=pyarrow.array([], "string") if kind == ".parquet" else [])])
    (tmp_path / f"d{kind}").write_bytes(b"\x81\x8d\x8fgarbage")
    with pytest.raises(BadFolder, match="cannot be read .*Use a CSV file in UTF-8, or Parquet"):
        find_images([tmp_path / f"d{kind}"])


def test_without_its_reader_parquet_says_what_to_install(tmp_path, monkeypatch):
    table = written(tmp_path / "t.parquet", file=["a"])
    monkeypatch.setitem(__import__("sys").modules, "pyarrow.parquet", None)
    with pytest.raises(MissingExtra, match=r"vitrail\[parquet\]"):
        find_images([table])


FORMULAS = (
    '=HYPERLINK("http://evil.example","x")',
    "=1+1",
    "+1+1",
    "-1+1",
    "@SUM(A1)",
    "\t=1",
    "\r=1",
    "\n=1",
    "\0=1",
    "\u00ad@SUM(A1)",
    "\u2060=1",
    "-dog",
    "=",
    *("\t5", "\r5", "-1_0", " =1", "\ufeff=1", "\u200b=1", "\uff1d1+1", "-dog cat"),
)


@pytest.mark.parametrize("text", [*FORMULAS, *(f"'{each}" for each in FORMULAS), "''=1"])
def test_what_a_spreadsheet_would_run_begins_with_an_apostrophe(text):
    assert quote_formula(text) == f"'{text}"
    assert unquote_formula(quote_formula(text)) == text


@pytest.mark.parametrize(
    "cell", [-0.5, -1, True, None, "-0.5", "+1", "-1e-3", "cat", "'cat'", "a=b", "a@b", "1=1", "-.5", "+inf", "nan", ""]
)
def test_numbers_and_other_texts_stay_as_they_are(cell):
    assert quote_formula(cell) == cell
    assert cell is None or unquote_formula(str(cell)) == str(cell)


def test_a_value_that_is_no_path_is_refused_before_it_fills_the_memory(tmp_path):
    """One name of 20 MB, packed to some kB, for a million rows: each row would be a copy of it."""
    names = pyarrow.array(["x" * 20_000_000, "a.png"])
    rows = pyarrow.DictionaryArray.from_arrays(pyarrow.array([0] * 1_000_000, pyarrow.int32()), names)
    pyarrow.parquet.write_table(pyarrow.table({"file": rows}), tmp_path / "bomb.parquet", compression="zstd")
    assert (tmp_path / "bomb.parquet").stat().st_size < 1_000_000
    with pytest.raises(BadFolder, match="longer than any path"):
        list(rows_of(tmp_path / "bomb.parquet", ("file",)))


def test_a_line_without_an_end_is_refused_before_it_fills_the_memory(tmp_path):
    with (tmp_path / "bomb.csv").open("wb") as file:
        file.write(b"file\n")
        file.truncate(3_000_000_000)  # zeros that take no room
    with pytest.raises(BadFolder, match="a line has more than 1,000,000 characters"):
        list(rows_of(tmp_path / "bomb.csv", ("file",)))


def test_a_name_that_is_an_address_to_a_library_is_a_name(tmp_path, monkeypatch):
    """Parquet's reader would open `file:/elsewhere`, where ours looked at a file of that name."""
    for home in (tmp_path, tmp_path / "here" / f"file:{tmp_path}"):
        (home / "secret").mkdir(parents=True)
    written(tmp_path / "secret" / "t.parquet", file=["secret.png"])
    written(tmp_path / "here" / f"file:{tmp_path}" / "secret" / "t.parquet", file=["own.png"])
    monkeypatch.chdir(tmp_path / "here")
    assert [file.name for file in find_images([f"file:{tmp_path}/secret/t.parquet"])] == ["own.png"]


@pytest.mark.parametrize("column", [[{"a": "x"}], [["x"]]])
def test_a_column_of_parquet_that_holds_no_texts_is_one_sentence(column, tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet")
    pyarrow = pytest.importorskip("pyarrow")
    parquet.write_table(pyarrow.table({"file": column}), tmp_path / "x.parquet")
    with pytest.raises(BadFolder, match="cannot be read"):
        list(rows_of(tmp_path / "x.parquet", ["file"]))
