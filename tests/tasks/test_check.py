"""`vitrail check`: what it says of a data set with faults, what it writes, and what `transfer` does with it."""

import csv
import hashlib
import json
import re
import shutil

import numpy as np
import pytest
from command import run
from PIL import Image, ImageOps

import vitrail

CLASSES = {"meadow": (40, 120, 50), "brick": (150, 60, 40)}
KEYS = ("duplicates", "leaks", "label_issues", "outliers", "shortcuts", "learning_curve")


def scene(colour, rng):
    """Blobs of one colour, unlike any other image of the kind."""
    blobs = Image.fromarray(rng.integers(0, 256, (7, 7), dtype=np.uint8)).resize((96, 72), Image.Resampling.BICUBIC)
    grain = np.asarray(blobs, float)[..., None] / 255 * np.array(colour) + rng.normal(0, 6, (72, 96, 3)) + 30
    return Image.fromarray(grain.clip(0, 255).astype(np.uint8))


@pytest.fixture(scope="module")
def faulty(tmp_path_factory):
    """Two classes in two parts; copies across parts and classes, wrong labels, a blank image and one of no format."""
    root = tmp_path_factory.mktemp("faulty") / "walls & <b>meadows</b>"
    rng = np.random.default_rng(0)
    for name, colour in CLASSES.items():
        for part, count in (("train", 36), ("test", 12)):
            (root / part / name).mkdir(parents=True)
            for number in range(count):
                scene(colour, rng).save(root / part / name / f"{part}{number:02d}.png")
    train, test = root / "train", root / "test"
    with Image.open(train / "meadow" / "train00.png") as image:
        ImageOps.mirror(image).resize((77, 58)).save(test / "meadow" / "mirrored.jpg", quality=60)
    shutil.copy(train / "brick" / "train00.png", test / "brick" / "same.png")
    shutil.copy(train / "brick" / "train01.png", train / "meadow" / "in-both.png")
    for number in (2, 3):
        shutil.move(train / "brick" / f"train{number:02d}.png", train / "meadow" / f"brick{number}.png")
    Image.new("RGB", (96, 72), (90, 90, 90)).save(train / "brick" / "blank.png")
    (train / "brick" / "page.png").write_text("<html>not found</html>")
    return root


@pytest.fixture(scope="module")
def checked(faulty, tmp_path_factory):
    """Run folder of a check of it, what was printed, and the cache."""
    home = tmp_path_factory.mktemp("checked")
    before = contents(faulty)
    done = run("check", faulty, "--backbone", "squeezenet", "--cache", home / "cache", "--run", home / "run")
    assert done.exit_code == 0, done.output
    assert contents(faulty) == before, "the check changed the data"
    return home / "run", " ".join(done.stdout.split()), home / "cache"


def contents(folder):
    return {path: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.rglob("*") if path.is_file()}


def result_of(folder):
    return json.loads((folder / "result.json").read_text())


def rows_of(table):
    with open(table, newline="") as lines:
        return list(csv.DictReader(lines))


def test_every_seeded_fault_is_in_the_result(checked, faulty):
    result = result_of(checked[0])
    assert set(KEYS) <= result.keys()
    leaks = {(leak["train"], leak["test"]) for leak in result["leaks"]}
    assert leaks == {
        (str(faulty / "train/meadow/train00.png"), str(faulty / "test/meadow/mirrored.jpg")),
        (str(faulty / "train/brick/train00.png"), str(faulty / "test/brick/same.png")),
    }
    assert {frozenset(group["files"]) for group in result["duplicates"]} == {
        *map(frozenset, leaks),
        frozenset((str(faulty / "train/brick/train01.png"), str(faulty / "train/meadow/in-both.png"))),
    }
    first = {issue["file"].rsplit("/")[-1]: issue for issue in result["label_issues"][:3]}
    assert {"brick2.png", "brick3.png"} <= first.keys()
    assert (first["brick2.png"]["label"], first["brick2.png"]["suggested"]) == ("meadow", "brick")
    assert {"file": str(faulty / "train/brick/blank.png"), "kind": "blank"}.items() <= result["outliers"][0].items()
    assert result["properties"][0]["property"] == "colour"
    assert [skip["file"] for skip in result["skipped"]] == [str(faulty / "train/brick/page.png")]
    scores = [[finding["score"] for finding in result[key]] for key in ("leaks", "label_issues", "outliers")]
    assert scores == [sorted(each, reverse=True) for each in scores]


def test_the_summary_says_what_to_look_at_in_one_block(checked):
    folder, printed, _ = checked
    assert "100 images of 2 classes (train 74, test 26); left out 1 unreadable" in printed
    assert "2 copies across parts" in printed
    assert "2 of test are in train too" in printed
    assert "colour comes nearest" in printed
    assert f"--leave-out {folder}/tables/suspects.csv" in printed.replace("'", "")
    data = result_of(folder)["data"]
    assert (data["images"], data["parts"], data["copies_across_parts"]) == (100, {"train": 74, "test": 26}, 2)


def test_the_page_stands_alone_and_shows_every_finding(checked):
    folder, _, _ = checked
    page = (folder / "check.html").read_text()
    assert "walls &amp; &lt;b&gt;meadows&lt;/b&gt;" in page
    assert "<b>" not in page
    assert not re.search(r"(?:src|href)=\"(?!data:|#)", page)
    for title in ("Copies across parts", "Copies", "Labels", "Odd images", "Shortcuts", "Classes", "Number of images"):
        assert f"<h2>{title}</h2>" in page
    drawn = {path.stem for path in (folder / "plots").glob("*.png")}
    assert drawn == {"leaks", "duplicates", "label_issues", "outliers", "learning_curve"}
    assert page.count("data:image/png;base64,") == len(drawn)


def test_suspects_name_each_copy_but_one_and_the_test_part_stays_whole(checked, faulty):
    rows = rows_of(checked[0] / "tables" / "suspects.csv")
    assert list(rows[0]) == ["file", "kind", "score", "suggestion"]
    by_kind = {(row["file"].rsplit("/")[-1], row["kind"]): row["suggestion"] for row in rows}
    assert by_kind["train00.png", "leak"].startswith("copy of ")
    assert [row["file"] for row in rows if row["kind"] == "leak"] == [
        str(faulty / "train/brick/train00.png"),
        str(faulty / "train/meadow/train00.png"),
    ]
    assert by_kind["brick2.png", "label"] == "brick"
    assert ("in-both.png", "duplicate") in by_kind
    assert not [row for row in rows if "/test/" in row["file"] and row["kind"] in ("leak", "duplicate")]


def test_transfer_leaves_the_suspects_out(checked, faulty, tmp_path):
    folder, _, cache = checked
    suspects = folder / "tables" / "suspects.csv"
    options = ("--backbone", "squeezenet", "--layer", "fire9", "--C", "1", "--cache", cache)
    done = run("transfer", faulty, *options, "--leave-out", suspects, "--run", tmp_path / "run")
    assert done.exit_code == 0, done.output
    result = result_of(tmp_path / "run")
    names = {row["file"] for row in rows_of(suspects)}
    assert result["data"]["left_out"]["listed in suspects.csv"] == len(names)
    used = {row["file"] for row in rows_of(tmp_path / "run" / "tables" / "files.csv")}
    assert not used & names
    assert result["data"]["images"] == 100 - len(names)
    assert (result["test"]["copies"], result["test"]["near_copies"]) == (0, 0)


@pytest.mark.parametrize(("options", "copies", "near"), [((), 2, 1), (("--no-find-copies",), 1, None)])
def test_transfer_says_itself_that_test_images_are_altered_copies(options, copies, near, checked, faulty, tmp_path):
    given = ("--backbone", "squeezenet", "--layer", "fire9", "--C", "1", "--cache", checked[2], *options)
    done = run("transfer", faulty, *given, "--run", tmp_path / "run")
    assert done.exit_code == 0, done.output
    test = result_of(tmp_path / "run")["test"]
    assert (test["copies"], test["near_copies"], test["without_copies"]["n"]) == (copies, near, 26 - copies)
    printed = " ".join(done.stdout.split())
    assert (", 1 altered; accuracy without them" in printed) == (near == 1)
    assert printed.index("among the training images too") < printed.index("chance level")


@pytest.mark.parametrize("way", ["as printed", "absolute", "from the table", "windows"])
def test_files_to_leave_out_are_found_however_they_are_named(way, stripes, tmp_path, monkeypatch):
    monkeypatch.chdir(stripes.parent)
    file = "train/across/0.png"
    names = {
        "as printed": f"{stripes.name}/{file}", "absolute": stripes / file,
        "from the table": f"../{stripes.name}/{file}", "windows": f"{stripes.name}/{file}".replace("/", "\\"),
    }  # fmt: skip
    home = tmp_path
    if way == "from the table":
        home = stripes.parent / f"lists-{tmp_path.name}"
        home.mkdir()
        monkeypatch.chdir(tmp_path)
    data = stripes if way == "from the table" else stripes.name
    left_out, printed = left_out_of(data, [names[way], "no/such.png"], home, tmp_path)
    assert left_out == {"listed in out.csv": 1}
    assert "1 file in 'out.csv' is none of these images, e.g. 'no/such.png'." in printed


def left_out_of(data, files, home, tmp_path):
    """What `transfer` leaves out, and what it prints."""
    (home / "out.csv").write_text("file,kind\n" + "".join(f"{file},label\n" for file in files))
    options = ("--backbone", "tiny", "--C", "1", "--no-use-cache", "--run", tmp_path / "run")
    done = run("transfer", data, "--leave-out", home / "out.csv", *options)
    assert done.exit_code == 0, done.output
    return result_of(tmp_path / "run")["data"]["left_out"], " ".join(done.output.split())


def test_files_that_have_moved_with_their_data_are_left_out(stripes, tmp_path):
    old = [f"/disk/old/photos/train/across/{number}.png" for number in range(2)]
    left_out, printed = left_out_of(stripes, [*old, "/disk/old/photos/test/noise/1.png"], tmp_path, tmp_path)
    assert left_out == {"listed in out.csv": 3}
    assert "are no longer there: those below" in printed
    assert "1 image to test with is left out too." in printed


@pytest.mark.parametrize("moved", ["one is there", "one has no counterpart"])
def test_other_images_of_the_same_names_are_not_left_out(moved, stripes, tmp_path):
    """An image of one part has the name of one of another, which it is not."""
    other = tmp_path / "other" / "across"
    shutil.copytree(stripes / "test" / "across", other)
    files = [other / "0.png", other / "1.png"] if moved == "one is there" else [f"/x/across/{n}.png" for n in (0, 99)]
    (tmp_path / "out.csv").write_text("file\n" + "".join(f"{file}\n" for file in files))
    done = run("transfer", stripes / "train", "--backbone", "tiny", "--leave-out", tmp_path / "out.csv")
    assert done.exit_code == 1
    assert "None of the 2 files in 'out.csv' is among the images" in done.stderr


def test_of_two_images_of_one_name_neither_is_left_out_but_by_its_path(stripes, tmp_path):
    data = tmp_path / "data"
    shutil.copytree(stripes, data)
    for name in ("line\nbreak.png", "line\\nbreak.png"):
        shutil.copy(data / "train" / "noise" / "0.png", data / "train" / "noise" / name)
    listed = str(data / "train" / "noise" / "line\\nbreak.png")
    left_out, printed = left_out_of(data, [listed, data / "train" / "noise" / "1.png"], tmp_path, tmp_path)
    assert left_out == {"listed in out.csv": 1}
    assert "1 file in 'out.csv' is none of these images" in printed


def test_a_path_of_thousands_of_folders_takes_no_time(stripes, tmp_path):
    left_out, _ = left_out_of(stripes, ["a/" * 60_000 + "x.png", stripes / "train/across/0.png"], tmp_path, tmp_path)
    assert left_out == {"listed in out.csv": 1}


def test_a_table_of_other_images_is_refused(stripes, tmp_path):
    (tmp_path / "out.csv").write_text("file\nno/such.png\n")
    done = run("transfer", stripes, "--backbone", "tiny", "--leave-out", tmp_path / "out.csv", "--run", tmp_path / "r")
    assert done.exit_code == 1
    assert "None of the 1 file in 'out.csv' is among the images" in done.stderr
    assert not (tmp_path / "r").exists()


def test_images_without_classes_are_checked_for_copies_and_oddities(faulty, tmp_path):
    flat = tmp_path / "flat"
    flat.mkdir()
    for file in sorted((faulty / "train" / "brick").glob("train*.png"))[:6]:
        shutil.copy(file, flat)
    shutil.copy(flat / "train00.png", flat / "again.png")
    done = run("check", flat, "--backbone", "tiny", "--no-use-cache", "--run", tmp_path / "run")
    assert done.exit_code == 0, done.output
    result = result_of(tmp_path / "run")
    assert [len(group["files"]) for group in result["duplicates"]] == [2]
    assert (result["label_issues"], result["learning_curve"], result["accuracy"]) == ([], [], None)
    assert "wrong labels" not in done.stdout
    assert "copies across parts" not in done.stdout
    assert "<h2>Labels</h2>" not in (tmp_path / "run" / "check.html").read_text()


@pytest.mark.parametrize("count", [1, 2, 3])
def test_very_few_images_have_no_figures_and_no_error(count, faulty, tmp_path):
    for number, file in enumerate(sorted((faulty / "train" / "brick").glob("train*.png"))[:count]):
        (tmp_path / "few" / "ab"[number % 2]).mkdir(parents=True, exist_ok=True)
        shutil.copy(file, tmp_path / "few" / "ab"[number % 2])
    done = run("check", tmp_path / "few", "--backbone", "tiny", "--no-use-cache", "--run", tmp_path / "run")
    assert done.exit_code == 0, done.output
    assert result_of(tmp_path / "run")["undefined"].keys() >= {"outliers", "learning_curve"}
    assert not re.search(r"\bnan\b|\binf\b|None", done.stdout)


def test_without_the_extra_of_pages_all_else_is_written(faulty, tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "jinja2", None)
    done = run("check", faulty / "test", "--backbone", "tiny", "--no-use-cache", "--run", tmp_path / "run")
    assert done.exit_code == 0, done.output
    assert "vitrail[report]" in done.output
    assert not (tmp_path / "run" / "check.html").exists()
    assert (tmp_path / "run" / "tables" / "suspects.csv").exists()
    assert "open check.html" not in done.output


def test_python_gives_what_the_command_gives(checked, faulty):
    found = vitrail.check(faulty, backbone="squeezenet", cache=checked[2])
    told = result_of(checked[0])
    assert {key: told[key] for key in KEYS} == json.loads(json.dumps({key: found.values()[key] for key in KEYS}))
