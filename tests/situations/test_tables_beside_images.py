"""Tables that lie among images: of attributes, of classes, or of something else."""

import pytest
from drawings import NAMES, drawn, lay
from small_runs import QUICK, attempted, gan_options, refused

pytestmark = pytest.mark.usefixtures("without_figures")

ROWS = 24


def binary(wall, dark, number):
    """Whether an image shows a wall (the first half), and whether it is dark (every second)."""
    return wall[number < ROWS // 2], dark[number % 2]


def ones(separator=",", no="0"):
    return lambda k: separator.join((f"{k:03}.png", *binary((no, "1"), (no, "1"), k)))


def faces(first, line, *, name="attr.csv", encoding="utf-8", rows=ROWS):
    """Loose images in `data/images`, and a table of them in `data`."""
    (folder := lay("data", {"images": 0}) / "images").mkdir(exist_ok=True)
    for number in range(ROWS):
        drawn(NAMES[number % 2], number).save(folder / f"{number:03}.png")
    text = "\n".join([first, *map(line, range(rows)), ""])
    (folder.parent / name).write_bytes(text.encode(encoding))
    return folder.parent


ATTRIBUTES = {
    "plain": ("file,Wall,Dark", ones(), {}),
    "with a mark": ("file,Wall,Dark", ones(), {"encoding": "utf-8-sig"}),
    "with semicolons": ("file;Wall;Dark", ones(";"), {}),
    "with image_id, and -1": ("image_id,Wall,Dark", ones(no="-1"), {}),
    "of 16 bits a letter": ("file,Wall,Dark", ones(), {"encoding": "utf-16"}),
    "as CelebA's": (f"{ROWS}\nWall Dark", ones("  ", "-1"), {"name": "list_attr_celeba.txt"}),
}


@pytest.mark.parametrize("dialect", ATTRIBUTES)
def test_attributes_are_read_in_every_dialect(dialect, gan_train):
    """05: A table says what each image shows, written by another program than ours."""
    first, line, options = ATTRIBUTES[dialect]
    run = gan_train(faces(first, line, **options))
    assert run.classes == ["Wall", "Dark"]
    assert f"Attributes from '{options.get('name', 'attr.csv')}': Wall, Dark." in run.said
    assert run.data["images"] == ROWS


def test_attributes_that_are_asked_for_are_those_of_the_generator(gan_train):
    """05: The table and one attribute are given by options."""
    data = faces("file,Wall,Dark,age", lambda k: f"{ones()(k)},{k}", encoding="utf-8-sig")
    run = gan_train(data, "--labels", data / "attr.csv", "--attributes", "Dark")
    assert run.classes == ["Dark"]


def test_a_table_of_all_images_serves_for_some_of_them(gan_train):
    """31: The table has the attributes of 600 images, of which 24 are there."""
    run = gan_train(faces("file,Wall,Dark", ones(no="-1"), rows=600))
    assert (run.classes, run.data["images"]) == (["Wall", "Dark"], ROWS)
    assert "left out 576 that the table lists, and are not there" in run.said


UNCLEAR = {
    "a value is missing": ("file,Wall,Dark", lambda k: f"{k:03}.png,{int(k < 12)},{'' if k == 5 else k % 2}"),
    "a value is 2": ("file,Wall,Dark", lambda k: f"{k:03}.png,{int(k < 12)},{2 if k == 5 else k % 2}"),
    "a column is a number": ("file,Wall,age", lambda k: f"{k:03}.png,{int(k < 12)},{k}"),
    "no column of files": ("id,Wall,Dark", ones()),
    "a column of classes": ("file,class", lambda k: f"images/{k:03}.png,{NAMES[k % 2]}"),
}


@pytest.mark.parametrize("what", UNCLEAR)
def test_a_table_that_is_nearly_one_of_attributes_is_not_passed_over_in_silence(what, stored):
    """05: The table cannot be used as it is: an error, or a sentence that names it; never silently another model."""
    run = attempted("gan", "gan", "train", faces(*UNCLEAR[what]), *gan_options(), "--cache", stored)
    assert "attr.csv" in (run if isinstance(run, str) else run.said)


@pytest.mark.parametrize("what", ["a value is missing", "a value is 2", "a column is a number", "no column of files"])
def test_a_table_that_is_given_and_cannot_be_used_is_an_error(what, stored):
    """05: The same tables, given by `--labels`: one sentence says what is wrong."""
    data = faces(*UNCLEAR[what])
    sentence = refused("gan", "train", data, "--labels", data / "attr.csv", *gan_options(), "--cache", stored)
    said = {"a value is missing": "holds '' under Dark", "a value is 2": "holds '2' under Dark"}
    assert said.get(what, "holds '2' under age" if "number" in what else "no column 'file'") in sentence


CLASSES = ("file,class", lambda name, k: f"{name}/{k:03}.png,{NAMES[0] if name == NAMES[1] else name}")
SIZES = ("file,width,height", lambda name, k: f"{name}/{k:03}.png,24,24")
SHADES = ("file,Dark", lambda name, k: f"{name}/{k:03}.png,{k % 2}")
TABLES = {
    "of classes": (CLASSES, "labels.csv"), "of sizes": (SIZES, "sizes.csv"), "of attributes": (SHADES, "shades.csv"),
    "empty": (("", lambda *_: ""), "empty.csv"), "a letter": (("Dear all;", lambda *_: "x"), "letter.tsv"),
}  # fmt: skip


def with_table(kind):
    """Three class folders of 8, and beside them a table."""
    (first, line), name = TABLES[kind]
    data = lay("data", dict.fromkeys(NAMES, 8))
    lines = [first, *(line(label, k) for label in NAMES for k in range(8)), ""]
    (data / name).write_text("\n".join(lines))
    return data, data / name


@pytest.mark.parametrize("kind", TABLES)
def test_class_folders_count_and_the_table_beside_them_is_mentioned(kind, transfer):
    """06: Beside the class folders lies a table that nobody meant to be read."""
    data, table = with_table(kind)
    run = transfer(data)
    assert run.classes == list(NAMES)
    assert run.data["images"] == 24
    assert run.data["left_out"] == {table.suffix: 1}
    assert f"left out 1 {table.suffix}" in run.said


@pytest.mark.parametrize("kind", ["of classes", "of sizes", "of attributes"])
def test_a_generator_takes_the_class_folders_too(kind, gan_train):
    """06: The same folder is given to `gan train`."""
    data, _ = with_table(kind)
    run = gan_train(data)
    assert (run.classes, run.data["images"], run.data["left_out"]) == (list(NAMES), 24, {".csv": 1})


def test_the_table_is_used_where_it_is_given(transfer, gan_train):
    """06: The table itself, or the option `--labels`, says that it is meant."""
    data, table = with_table("of classes")
    for run in (transfer(table), gan_train(table), gan_train(data, "--labels", table, to="again")):
        assert run.classes == [NAMES[0], NAMES[2]]
    data, table = with_table("of attributes")
    assert gan_train(data, "--labels", table, to="shades").classes == ["Dark"]


def test_a_table_of_something_else_is_refused_where_it_is_given(stored):
    """06: A table of sizes is given to `transfer` and to `gan train`: a sentence names its columns."""
    _, table = with_table("of sizes")
    sentence = refused("transfer", table, *QUICK, "--cache", stored)
    assert "'sizes.csv' has no column 'class'; its columns are 'file', 'width', 'height'" in sentence
    assert "'sizes.csv' holds '24' under width" in refused("gan", "train", table, *gan_options(), "--cache", stored)
