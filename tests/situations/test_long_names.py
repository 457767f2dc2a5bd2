"""Names of files: as long as a disk takes, equal in several folders, and with letters and signs of any kind."""

import json

import pytest
from command import run as command
from drawings import NAMES, drawn, lay
from small_runs import ATTACK, MAP, TINY, succeeded

LONG = ("高清壁纸山川河流森林日出日落城市夜景" * 5)[:80]  # 240 bytes in UTF-8
NAMED = {
    "240 bytes": LONG, "250 letters": "a" * 250, "equal": "same", "letters that no font has": "🐈" * 60,
    "of a camera": "_MG_0001", "blanks and signs": "a cat (1) #2 50 %",
}  # fmt: skip


@pytest.fixture(params=NAMED)
def three(request):
    """Three images of one name, each in a folder of its own."""
    name = f"{NAMED[request.param]}.jpg"
    for label in NAMES:
        lay("data", {label: 0})
        drawn(label, 0).save(f"data/{label}/{name}")
    return [f"data/{label}/{name}" for label in NAMES]


def stored_files(folder):
    """Of each file of a run: its path."""
    return [path for path in folder.rglob("*") if path.is_file()]


def test_outputs_have_names_of_their_own_that_a_disk_takes(three):
    """24: The names are those that a browser saves, as long as a disk takes, and equal in each folder."""
    run = succeeded("map", "explain", *three, *TINY, *MAP)
    entries = [each for image in run.result["images"] for each in image["maps"]]
    made = [path for path in stored_files(run.folder) if path.suffix == ".npy"]
    assert len(entries) == len(made) == 3
    assert max(len(path.name.encode()) for path in stored_files(run.folder)) <= 255
    run = succeeded("attack", "attack", *three, *TINY, *ATTACK)
    outputs = [image["output"] for image in run.result["images"] if image["success"]]
    assert len(set(outputs)) == len(outputs) == 3
    assert all((run.folder / output).is_file() for output in outputs)
    assert all(f"{label}/" in run.said for label in NAMES)


def test_a_table_shows_what_tells_equal_names_apart(three):
    """24: The files differ by the folder alone: the table shows it."""
    run = succeeded("classes", "classify", *three, *TINY)
    assert all(f"{label}/" in run.said for label in NAMES)
    assert [image["file"] for image in run.result["images"]] == three


@pytest.mark.parametrize("three", ["240 bytes"], indirect=True)
def test_a_run_of_long_names_is_repeated_and_reported(three):
    """24: What was made of such files is replayed, and a page is made of it."""
    run = succeeded("map", "explain", *three, *TINY, *MAP)
    done = command("replay", run.folder, "--json")
    assert (done.exit_code, json.loads(done.stdout)["equal"]) == (0, True)
    assert command("report", run.folder, "--output", "page.html").exit_code == 0


@pytest.mark.parametrize("three", ["of a camera", "letters that no font has", "blanks and signs"], indirect=True)
def test_a_figure_with_a_line_for_each_image_is_drawn_without_a_complaint(three):
    """24: Names begin with a low line, as a camera writes them, or have letters that no font has."""
    run = succeeded("attack", "attack", *three, *TINY, "--steps", 2)
    assert (run.folder / "plots" / "path.png").is_file()
    assert "Warning" not in run.said
