"""Tables of images as programs and people write them."""

import numpy as np
import pytest
from command import run

import vitrail
from vitrail.datasets.image_table import find_attribute_table, read_attributes
from vitrail.datasets.splits import open_train_test
from vitrail.errors import BadFolder, BadSetting

NAMES = ("brick", "grass", "gravel")
EACH = 8


@pytest.fixture
def home(tmp_path):
    """A folder of empty image files, which is enough for what only lists them."""
    for name in NAMES:
        (tmp_path / name).mkdir()
        for number in range(EACH):
            (tmp_path / name / f"{number:03}.jpg").touch()
    return tmp_path


def rows(line):
    return [line(name, number) for name in NAMES for number in range(EACH)]


def table(home, first, line, *, encoding="utf-8", end="\n", name="list.csv"):
    (home / name).write_bytes(end.join([first, *rows(line), ""]).encode(encoding))
    return home / name


def plain(separator=","):
    return lambda name, number: f"{name}/{number:03}.jpg{separator}{name}"


DIALECTS = {
    "plain": ("file,class", plain(), {}),
    "mark": ("file,class", plain(), {"encoding": "utf-8-sig", "end": "\r\n"}),
    "semicolons": ("file;class", plain(";"), {}),
    "tabs": ("file\tclass", plain("\t"), {"name": "list.tsv"}),
    "tabs in a csv": ("file\tclass", plain("\t"), {}),
    "bars": ("file|class", plain("|"), {}),
    "windows paths": ("file,class", lambda name, number: f"{name}\\{number:03}.jpg,{name}", {}),
    "other names": ("filename,label", plain(), {}),
    "capitals": ("File,Class", plain(), {}),
    "image_id": ("image_id,Category", plain(), {}),
    "blanks": ("file, class", lambda name, number: f"{name}/{number:03}.jpg, {name} ", {}),
    "utf-16": ("file,class", plain(), {"encoding": "utf-16"}),
    "index": (",file,label", lambda name, number: f"{number},{name}/{number:03}.jpg,{name}", {}),
    "more": ("file,class,fold,name", lambda name, number: f"{name}/{number:03}.jpg,{name},{number % 5},p{number}", {}),
    "excel": ("sep=;\nfile;class", plain(";"), {}),
    "quoted": ('"file","class"', lambda name, number: f'"{name}/{number:03}.jpg","{name}"', {}),
    "last line": ("file,class", lambda name, number: f"{name}/{number:03}.jpg,{name}", {"end": "\r\n"}),
}


@pytest.mark.parametrize("dialect", DIALECTS)
def test_every_dialect_gives_the_same(home, dialect):
    first, line, options = DIALECTS[dialect]
    data = vitrail.open_dataset(table(home, first, line, **options))
    assert (len(data), data.classes) == (24, NAMES)
    assert all(file.is_file() and file.parent.name == data.classes[label] for file, label in data)


def test_older_windows_programs_write_umlauts_their_own_way(home):
    data = vitrail.open_dataset(
        table(home, "file,class", lambda name, n: f"{name}/{n:03}.jpg,{name}-öl", encoding="cp1252")
    )
    assert data.classes == ("brick-öl", "grass-öl", "gravel-öl")


def test_parquet_is_read_the_same(home):
    pa = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    files, classes = zip(*(each.split(",") for each in rows(plain())), strict=True)
    parquet.write_table(pa.table({"Image": files, "Label": classes}), home / "list.parquet")
    assert vitrail.open_dataset(home / "list.parquet").classes == NAMES


def test_whole_numbers_with_a_decimal_point_are_numbers(home):
    data = vitrail.open_dataset(table(home, "file,label", lambda name, n: f"{name}/{n:03}.jpg,{NAMES.index(name)}.0"))
    assert data.classes == ("0", "1", "2")
    mixed = table(home, "file,label", lambda name, n: f"{name}/{n:03}.jpg,{1 + NAMES.index(name) / 2}")
    assert vitrail.open_dataset(mixed).classes == ("1.0", "1.5", "2.0")


@pytest.mark.parametrize(("train", "other", "part"), [
    ("train", "val", "val"), ("Training", "Testing", "test"), ("train", "valid", "val"), ("TRAIN", "dev", "val"),
])  # fmt: skip
def test_parts_are_respected(home, train, other, part):
    line = lambda name, n: f"{name}/{n:03}.jpg,{name},{train if n < 6 else other}"  # noqa: E731
    path = table(home, "file,class,split", line)
    assert vitrail.open_dataset(path).parts.count(part) == 6
    found = open_train_test(path, home=home, test_share=0.2, seed=0)
    assert (len(found.train), len(found.test), found.is_drawn) == (18, 6, False)


def test_the_same_image_twice_counts_once(home):
    path = table(home, "file,class", plain())
    path.write_text(path.read_text() + "\n".join(rows(plain())))
    data = vitrail.open_dataset(path)
    assert (len(data), data.left_out) == (24, {"listed again": 24})


def test_images_that_are_not_there_are_left_out_and_counted(home):
    path = table(home, "file,class", plain())
    path.write_text(path.read_text() + "gone/1.jpg,brick\n" + f"{'x' * 300}.jpg,brick\n")
    assert vitrail.open_dataset(path).left_out == {"that the table lists, and are not there": 2}


WRONG = {
    "no class": ("file,class", lambda n, k: f"{n}/{k:03}.jpg,{n if k else ''}", "Row 1 of 'list.csv' names no class"),
    "no file": ("file,class", lambda n, k: f",{n}", "Row 1 of 'list.csv' names no file"),
    "two spellings": (
        "file,class", lambda n, k: f"{n}/{k:03}.jpg,{n if k % 4 else n.title()}",
        "Row 2 of 'list.csv' has the class 'brick', and row 1 'Brick'. Use one spelling.",
    ),
    "no such part": (
        "file,class,part", lambda n, k: f"{n}/{k:03}.jpg,{n},{int(k < 4)}",
        "Row 1 of 'list.csv' has the part '1', which is none. Use train, val or test.",
    ),
    "two classes": (
        "file,class", lambda n, k: f"brick/000.jpg,{n}",
        "Rows 1 and 9 of 'list.csv' differ about '000.jpg'. Use one row for each image.",
    ),
    "no column of files": ("id,breed", lambda n, k: f"{k},{n}", "has no column 'file'; its columns are 'id', 'breed'"),
    "no column of classes": ("file,size", lambda n, k: f"{n}/{k:03}.jpg,{k}", "has no column 'class'"),
    "nothing there": ("file,class", lambda n, k: f"other/{k}.jpg,{n}", "None of the files that 'list.csv' lists"),
}  # fmt: skip


@pytest.mark.parametrize("wrong", WRONG)
def test_what_is_wrong_is_one_sentence_that_names_the_row(home, wrong):
    first, line, said = WRONG[wrong]
    with pytest.raises(BadFolder) as caught:
        vitrail.open_dataset(table(home, first, line))
    assert said in str(caught.value)


def test_letters_of_an_alphabet_are_classes_of_their_own(home):
    letters = "Aab"
    data = vitrail.open_dataset(table(home, "file,class", lambda n, k: f"{n}/{k:03}.jpg,{letters[NAMES.index(n)]}"))
    assert data.classes == ("A", "a", "b")


ATTRIBUTES = {
    "plain": ("file,Wall,Dark", lambda n, k: f"{n}/{k:03}.jpg,{int(n == 'brick')},{k % 2}", {}),
    "mark": ("file,Wall,Dark", lambda n, k: f"{n}/{k:03}.jpg,{int(n == 'brick')},{k % 2}", {"encoding": "utf-8-sig"}),
    "semicolons": ("file;Wall;Dark", lambda n, k: f"{n}/{k:03}.jpg;{int(n == 'brick')};{k % 2}", {}),
    "image_id": ("image_id,Wall,Dark", lambda n, k: f"{n}/{k:03}.jpg,{'1' if n == 'brick' else '-1'},{k % 2}", {}),
    "words": ("file,Wall,Dark", lambda n, k: f"{n}/{k:03}.jpg,{n == 'brick'},{'yes' if k % 2 else 'No'}", {}),
    "celeba": (
        "24\nWall Dark", lambda n, k: f"{n}/{k:03}.jpg  {' 1' if n == 'brick' else '-1'} {' 1' if k % 2 else '-1'}",
        {"name": "list_attr_celeba.txt"},
    ),
}  # fmt: skip


@pytest.mark.parametrize("dialect", ATTRIBUTES)
def test_attributes_are_read_in_every_dialect(home, dialect):
    first, line, options = ATTRIBUTES[dialect]
    path = table(home, first, line, **options)
    assert find_attribute_table(home, ()) == path
    found = read_attributes(path, home, ())
    assert (found.names, len(found.files)) == (("Wall", "Dark"), 24)
    assert np.array_equal(found.values[:, 0], np.repeat([1, -1, -1], EACH))
    assert np.array_equal(found.values[:, 1], np.tile([-1, 1], 12))


def test_a_table_of_all_images_serves_for_some_of_them(home):
    path = table(home, "file,Wall", lambda n, k: f"{n}/{k:03}.jpg,1")
    path.write_text(path.read_text() + "".join(f"{k}.jpg,-1\n" for k in range(600)))
    found = read_attributes(path, home, ())
    assert (len(found.files), sum(found.left_out.values())) == (24, 600)


def test_attributes_that_are_not_there_or_say_something_else(home):
    path = table(home, "file,Wall", lambda n, k: f"{n}/{k:03}.jpg,{k}")
    with pytest.raises(BadFolder, match="holds '2' under Wall. Use 1 and 0, or 1 and -1"):
        read_attributes(path, home, ())
    with pytest.raises(BadSetting, match="has no attribute 'Young'. It has: Wall"):
        read_attributes(path, home, ("Young",))
    assert find_attribute_table(home, ()) is None
    (home / "list.csv").write_text("file,Wall\nother.jpg,1\n")
    with pytest.raises(BadFolder, match="lists no file that is there, e.g. "):
        read_attributes(home / "list.csv", home, ())


def test_any_table_beside_class_folders_changes_nothing(home):
    before = vitrail.open_dataset(home)
    for name, text in (
        ("sizes.csv", "file,width\nbrick/000.jpg,64\n"),
        ("labels.csv", "file,class\nbrick/000.jpg,x\n"),
    ):
        (home / name).write_text(text)
    after = vitrail.open_dataset(home)
    assert (before.files, before.classes) == (after.files, after.classes)
    assert after.left_out == {".csv": 2}


def test_a_table_that_is_none_of_ours_is_one_sentence_for_the_command(home):
    (home / "list.csv").write_bytes(b"\x81\x8d\x8f" * 40)
    done = run("transfer", home / "list.csv", "--run", home / "run")
    assert done.exit_code == 1
    assert "cannot be read" in done.stderr
    assert not (home / "run").exists()


PART_COLUMNS = {  # columns that hold parts: their values for one image in three, and for the others
    "Usage": ("PublicTest", "Training"),
    "data set": ("eval", "train"),
    "is_train": ("0", "1"),
    "is_test": ("yes", "no"),
    "Is Valid": ("y", "n"),
}


@pytest.mark.parametrize(("name", "values"), PART_COLUMNS.items(), ids=list(PART_COLUMNS))
def test_a_column_of_any_name_is_one_of_parts_if_it_holds_nothing_else(home, name, values):
    held_out, other = values
    data = vitrail.open_dataset(
        table(home, f"file,class,{name}", lambda each, k: f"{plain()(each, k)},{held_out if k % 3 == 0 else other}")
    )
    assert data.parts.count("train") == len([k for k in range(EACH) if k % 3]) * len(NAMES)
    assert len(set(data.parts)) == 2
    assert f"The column {name!r} says which part each image is in." in data.notes


def test_a_column_that_nearly_holds_parts_is_not_passed_over_in_silence(home):
    data = vitrail.open_dataset(
        table(home, "file,class,stage", lambda each, k: f"{plain()(each, k)},{'train' if k else ''}")
    )
    assert set(data.parts) == {""}
    data = vitrail.open_dataset(
        table(home, "file,class,stage", lambda each, k: f"{plain()(each, k)},{('test', 'train', 'train', '')[k % 4]}")
    )
    assert set(data.parts) == {""}
    assert data.notes == ("The column 'stage' looks like one of parts, but row 4 has '': it is not used.",)


def test_two_columns_that_each_say_a_part_are_refused(home):
    line = lambda each, k: f"{plain()(each, k)},{int(k == 0)},{int(k == 1)}"  # noqa: E731
    with pytest.raises(BadFolder, match=r"The columns 'is_valid' and 'is_test' .* Use one column 'part'"):
        vitrail.open_dataset(table(home, "file,class,is_valid,is_test", line))


def test_a_flag_of_parts_is_no_attribute(home):
    root = table(home, "file,is_train", lambda each, k: f"{each}/{k:03}.jpg,{k % 2}").parent
    assert find_attribute_table(root, ()) is None
