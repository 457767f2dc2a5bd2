"""Tables that list images and their classes, as programs and people write them."""

import pytest
from drawings import NAMES, lay
from small_runs import QUICK, attempted, refused

import vitrail

pytestmark = pytest.mark.usefixtures("without_figures")

EACH = 8


@pytest.fixture
def data():
    return lay("data", dict.fromkeys(NAMES, EACH))


def rows(line):
    return [line(name, number) for name in NAMES for number in range(EACH)]


def plain(separator=",", ending=""):
    return lambda name, number: f"{name}/{number:03}.png{separator}{name}{ending}"


def write(folder, first, line, *, name="list.csv", encoding="utf-8", end="\n", twice=False):
    """A table of all images; `line` gives the row of a class and a number."""
    lines = [first, *rows(line), *(rows(line) if twice else []), ""]
    (folder / name).write_bytes(end.join(lines).encode(encoding))
    return folder / name


SAME = {  # what a table of the same content looks like
    "with a mark, as Windows writes it": ("file,class", plain(), {"encoding": "utf-8-sig", "end": "\r\n"}),
    "with semicolons": ("file;class", plain(";"), {}),
    "paths of Windows": ("file,class", lambda name, k: f"{name}\\{k:03}.png,{name}", {}),
    "columns filename and label": ("filename,label", plain(), {}),
    "columns with capitals": ("File,Class", plain(), {}),
    "a blank after each comma": ("file, class", plain(", "), {}),
    "blanks after some classes": ("file,class", lambda name, k: f"{name}/{k:03}.png,{name}{' ' * (k % 3)}", {}),
    "of 16 bits a letter": ("file,class", plain(), {"encoding": "utf-16"}),
    "with numbers of rows": (",file,label", lambda name, k: f"{k},{name}/{k:03}.png,{name}", {}),
    "with a fold and a person": ("file,class,fold,name", lambda name, k: f"{plain()(name, k)},{k % 5},p{k}", {}),
    "with tabs": ("file\tclass", plain("\t"), {"name": "list.tsv"}),
    "with bars": ("file|class", plain("|"), {}),
    "with the first line of Excel": ("sep=;\nfile;class", plain(";"), {}),
    "with quotes": ('"file","class"', lambda name, k: f'"{name}/{k:03}.png","{name}"', {}),
    "with a comma at the end": ("file,class", plain(ending=","), {}),
    "with empty lines": ("file,class", plain(ending="\n"), {}),
    "with line ends of an old Macintosh": ("file,class", plain(), {"end": "\r"}),
    "a point before each path": ("file,class", lambda name, k: f"./{plain()(name, k)}", {}),
}


@pytest.mark.parametrize("dialect", SAME)
def test_every_dialect_of_a_table_says_the_same(dialect, data, transfer):
    """17: A list of images comes from a spreadsheet, a script or another system."""
    first, line, options = SAME[dialect]
    run = transfer(write(data, first, line, **options))
    assert run.classes == list(NAMES)
    assert (run.count("train"), run.count("test")) == (dict.fromkeys(NAMES, 6), dict.fromkeys(NAMES, 2))
    assert all(f"/{name}/" in file for file, name, _ in run.rows)
    assert run.data["left_out"] == {}


def test_absolute_paths_lead_to_the_images(data, transfer):
    """17: The table has the whole path of each image."""
    run = transfer(write(data, "file,class", lambda name, k: f"{data.absolute()}/{plain()(name, k)}"))
    assert (run.classes, run.data["images"]) == (list(NAMES), 24)


def test_numbers_of_classes_may_have_a_decimal_point(data, transfer):
    """17: A spreadsheet made numbers with a decimal point of the classes."""
    run = transfer(write(data, "file,label", lambda name, k: f"{name}/{k:03}.png,{NAMES.index(name)}.0"))
    assert run.classes == ["0", "1", "2"]


def test_letters_of_older_windows_programs(data, transfer):
    """17: The table is in the encoding of an older Windows, and its classes have umlauts."""
    run = transfer(write(data, "file,class", plain(ending="-öl"), encoding="cp1252"))
    assert run.classes == ["brick-öl", "grass-öl", "gravel-öl"]


@pytest.mark.parametrize(
    ("first", "part", "counts", "said"),
    [
        ("split", lambda k: "train" if k < 4 else "val" if k < 6 else "test", (18, 6), "C and layers are chosen by"),
        ("split", lambda k: "train" if k < 5 else "valid", (15, 9), "There is no test part: val is used to test."),
        ("part", lambda k: "Training" if k < 5 else "Testing", (15, 9), "train 15, test 9"),
        ("Subset", lambda k: " TRAIN " if k < 5 else "dev", (15, 9), "There is no test part: val is used to test."),
    ],
    ids=["train, val and test", "train and valid", "Training and Testing", "TRAIN and dev"],
)
def test_the_parts_of_a_table_are_respected(first, part, counts, said, data, transfer):
    """17: A column of the table says which images are for training and which for testing."""
    table = write(data, f"file,class,{first}", lambda name, k: f"{plain()(name, k)},{part(k)}")
    run = transfer(table)
    assert run.classes == list(NAMES)
    assert (len(run.files("train")), len(run.files("test"))) == counts
    last = {f"{k:03}.png" for k in range(EACH) if 3 * (EACH - k) <= counts[1]}
    assert {file.rpartition("/")[2] for file in run.files("test")} == last
    assert said in run.said


@pytest.mark.parametrize(
    ("column", "first", "second"),
    [("data set", "train", "test"), ("Usage", "Training", "Testing"), ("is_train", 1, 0)],
)
def test_parts_in_a_column_of_another_name_are_not_passed_over(column, first, second, data, stored):
    """17: The column of the parts has a less usual name: respected, or the column is named in what is printed."""
    table = write(data, f"file,class,{column}", lambda name, k: f"{plain()(name, k)},{first if k < 5 else second}")
    run = attempted("run", "transfer", table, *QUICK, "--cache", stored)
    if isinstance(run, str):
        assert column in run
    else:
        assert run.count("test") == dict.fromkeys(NAMES, 3) or f"'{column}'" in run.said


def test_rows_that_are_there_twice_are_counted_once(data, transfer):
    """17: Every row is in the table twice."""
    run = transfer(write(data, "file,class", plain(), twice=True))
    assert (run.data["images"], run.data["left_out"]) == (24, {"listed again": 24})
    assert "left out 24 listed again" in run.said


def test_rows_whose_image_is_gone_are_counted(data, transfer):
    """17: Some of the images that the table lists are not there."""
    table = write(data, "file,class", plain())
    for name in NAMES:
        (data / name / "001.png").unlink()
    run = transfer(table)
    assert (run.data["images"], run.data["left_out"]) == (21, {"that the table lists, and are not there": 3})
    assert "left out 3 that the table lists, and are not there" in run.said


WRONG = {
    "a class in two spellings": (
        "file,class", lambda name, k: f"{name}/{k:03}.png,{name if k % 4 else name.title()}",
        "Row 2 of 'list.csv' has the class 'brick', and row 1 'Brick'. Use one spelling.",
    ),
    "a row without a class": (
        "file,label", lambda name, k: f"{name}/{k:03}.png,{name if k else ''}", "Row 1 of 'list.csv' names no class"
    ),
    "parts as numbers": (
        "file,class,part", lambda name, k: f"{plain()(name, k)},{int(k < 5)}",
        "Row 1 of 'list.csv' has the part '1', which is none. Use train, val or test.",
    ),
    "a row without a part": (
        "file,class,split", lambda name, k: f"{plain()(name, k)},{'train' if k < 5 else ''}",
        "Row 6 of 'list.csv' has the part '', which is none. Use train, val or test.",
    ),
    "no column of files": (
        "id,breed", lambda name, k: f"{k:03},{name}", "has no column 'file'; its columns are 'id', 'breed'."
    ),
    "no column of classes": ("file,width", lambda name, k: f"{name}/{k:03}.png,64", "has no column 'class'"),
    "no first line": ("brick/000.png,brick", plain(), "Use a first line such as 'file,class'."),
    "an image with two classes": (
        "file,class", lambda name, k: f"brick/{k:03}.png,{name}",
        "Rows 1 and 9 of 'list.csv' differ about '000.png'. Use one row for each image.",
    ),
    "semicolons below commas": ("file,class", plain(";"), "Row 1 of 'list.csv' names no class"),
    "addresses": ("file,class", lambda name, k: f"http://example.org/{plain()(name, k)}", "None of the files that"),
}  # fmt: skip


@pytest.mark.parametrize("wrong", WRONG)
def test_what_is_wrong_with_a_table_is_named_with_its_row(wrong, data, stored):
    """17: A table cannot be used as it is: one sentence names the row or the columns, and nothing is left behind."""
    first, line, said = WRONG[wrong]
    assert said in refused("transfer", write(data, first, line), *QUICK, "--cache", stored)


def test_names_without_their_ending_are_said_to_lack_it(data, stored):
    """17: The table has `brick/000` where the file is `brick/000.png`: found, or what is missing is said."""
    table = write(data, "image_id,breed", lambda name, k: f"{name}/{k:03},{name}")
    run = attempted("run", "transfer", table, *QUICK, "--cache", stored)
    assert ".png" in run if isinstance(run, str) else run.data["images"] == 24


def test_a_table_with_an_ending_that_is_no_tables_is_named_as_one(data, stored):
    """17: The table is called `list.txt`: it is read, or the sentence says which endings tables have."""
    table = write(data, "file,class", plain(), name="list.txt")
    run = attempted("run", "transfer", table, *QUICK, "--cache", stored)
    assert ".csv" in run if isinstance(run, str) else run.data["images"] == 24


@pytest.mark.parametrize("dialect", ["with semicolons", "of 16 bits a letter"])
def test_python_and_a_generator_read_the_same_table(dialect, data, gan_train):
    """17: The same table is given to `gan train` and to Python."""
    first, line, options = SAME[dialect]
    table = write(data, first, line, **options)
    opened, run = vitrail.open_dataset(table), gan_train(table)
    assert run.classes == list(opened.classes) == list(NAMES)
    assert run.data["images"] == len(opened) == 24
