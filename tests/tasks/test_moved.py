"""Runs find their data by content: `--data` of `gan train --resume`, `replay` and `gan evaluate`."""

import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from command import run
from PIL import Image

from vitrail import reading
from vitrail.datasets.changes import Changes, changes
from vitrail.datasets.moved import check_there, found, settings_here
from vitrail.runs import Run

TINY = (
    *("--size", 16, "--epochs", 1, "--batch", 8, "--width", 4, "--latent-size", 8, "--no-autotune"),
    *("--eval-samples", 12, "--final-eval-samples", 12, "--feature-extractor", "tiny"),
)


@pytest.fixture(scope="module")
def trained(stripes, judges, tmp_path_factory):
    """A run of `gan train` in a folder of its own, beside its data."""
    home = tmp_path_factory.mktemp("moved")
    shutil.copytree(stripes, home / "data")
    done = run("gan", "train", home / "data", *TINY, "--run", home / "run", "--cache", judges)
    assert done.exit_code == 0, done.output
    return home


@pytest.fixture
def home(trained, tmp_path):
    """A copy whose data were moved."""
    shutil.copytree(trained / "data", tmp_path / "moved")
    shutil.copytree(trained / "run", tmp_path / "run")
    settings = (tmp_path / "run" / "settings.json").read_text()
    (tmp_path / "run" / "settings.json").write_text(settings.replace(str(trained / "data"), str(tmp_path / "data")))
    return tmp_path


def change(data):
    """Three images of another content, two that are gone, one more."""
    files = sorted((data / "train").rglob("*.png"))
    for seed, file in enumerate(files[:3]):
        Image.fromarray(np.random.default_rng(seed).integers(0, 255, (20, 20), np.uint8)).save(file)
    files[-1].unlink()
    files[-2].unlink()
    Image.new("RGB", (20, 20), "red").save(files[0].with_name("new.png"))


NOT_THERE = "which is not there. Use --data PATH, where the images are now.\n"
COUNTED = "3 of 36 images changed, 2 are missing, 1 is new"


def resumed(home, judges, *options):
    return run("gan", "train", "--resume", home / "run", "--epochs", 2, "--cache", judges, *options)


def test_a_training_goes_on_where_its_images_are_now(home, judges):
    done = resumed(home, judges)
    assert done.exit_code == 2
    assert done.stderr.endswith(f"{str(home / 'data')!r}, {NOT_THERE}")
    done = resumed(home, judges, "--data", home / "moved")
    assert done.exit_code == 0, done.output
    recorded = json.loads((home / "run" / "settings.json").read_text())["settings"]
    assert recorded["data"] == str(home / "moved")  # so that the next time nothing need be said


def test_a_training_does_not_go_on_with_other_images(home, judges):
    change(home / "moved")
    before = (home / "run" / "settings.json").read_bytes()
    done = resumed(home, judges, "--data", home / "moved")
    assert done.exit_code == 1
    assert f"are not those of the run in '{home / 'run'}': {COUNTED}. Use those, or train a new run." in done.stderr
    (home / "run" / "tables" / "files.csv").unlink()  # as of a run of an earlier version
    done = resumed(home, judges, "--data", home / "moved")
    assert f"are not those of the run in '{home / 'run'}'. Use those, or train a new run." in done.stderr
    assert (home / "run" / "settings.json").read_bytes() == before


def test_held_out_images_count_too(home, judges):
    Image.new("L", (20, 20)).save(home / "moved" / "test" / "down" / "0.png")  # grey, as all: those to train on stay
    assert "1 of 36 images changed." in resumed(home, judges, "--data", home / "moved").stderr


def test_the_argument_and_the_option_are_one(home, judges):
    done = resumed(home, judges, home / "moved", "--data", home / "moved")
    assert done.exit_code == 2
    assert "DATA is given twice" in done.stderr
    assert resumed(home, judges, home / "moved").exit_code == 0


def test_a_generator_is_evaluated_where_its_images_are_now(home, trained, judges):
    options = ("--samples", 12, "--no-gan-train", "--feature-extractor", "tiny", "--json", "--cache", judges)
    first = run("gan", "evaluate", trained / "run", *options, "--run", home / "first")
    again = run("gan", "evaluate", home / "run", *options, "--run", home / "again", "--data", home / "moved")
    assert json.loads(first.stdout)["metrics"] == json.loads(again.stdout)["metrics"]
    assert "not those of the training" not in first.stderr + again.stderr
    change(home / "moved")
    other = run("gan", "evaluate", home / "run", *options, "--run", home / "other", "--data", home / "moved")
    assert other.exit_code == 0, other.output
    assert f"The real images are not those of the training: {COUNTED}." in " ".join(other.stderr.split())


def test_images_of_a_generator_that_are_not_there(trained, home, judges):
    weights = home / "run" / "weights" / "generator.json"
    weights.write_text(weights.read_text().replace(str(trained / "data"), str(home / "data")))
    done = run("gan", "evaluate", home / "run", "--run", home / "e", "--cache", judges)
    assert done.exit_code == 1
    assert done.stderr.endswith(NOT_THERE)


def test_a_replay_says_how_many_images_changed(home, judges, monkeypatch):
    monkeypatch.chdir(home)
    change(home / "moved")
    done = run("replay", home / "run", "--data", "moved", "--json")
    assert done.exit_code == 0, done.output
    result = json.loads(done.stdout)
    assert not result["equal"]
    assert result["images"] == {"total": 36, "changed": 3, "missing": 2, "new": 1}
    assert f"The images are not those of the run: {COUNTED}." in " ".join(done.stderr.split())


def test_several_images_are_found_by_their_names(stripes, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shutil.copytree(stripes / "test", tmp_path / "a")
    given = ("a/across/0.png", "a/down/1.png")
    assert run("classify", *given, "--backbone", "tiny", "--run", "run").exit_code == 0
    os.rename("a", "b")
    done = run("replay", "run", "--data", "b", "--json")
    assert json.loads(done.stdout)["equal"], done.output
    Image.new("RGB", (20, 20), "red").save("b/across/0.png")
    done = run("replay", "run", "--data", "b", "--json")
    assert "These values differ: images (1 of 2)." in " ".join(done.stderr.split())
    Path("b/down/1.png").unlink()
    done = run("replay", "run", "--data", "b")
    assert done.exit_code == 1
    assert "'b' lacks 1 of the 2 images or folders of the run, e.g. 'down/1.png'." in done.stderr


def test_one_image_is_found_in_a_folder(stripes, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shutil.copytree(stripes / "test", tmp_path / "a")
    assert run("classify", "a/down/1.png", "--backbone", "tiny", "--run", "run").exit_code == 0
    os.rename("a", "b")
    for now in ("b/down", "b/down/1.png"):
        assert json.loads(run("replay", "run", "--data", now, "--json").stdout)["equal"]


def test_a_project_that_is_moved_as_a_whole_needs_nothing(stripes, tmp_path, monkeypatch):
    (tmp_path / "project").mkdir()
    shutil.copytree(stripes / "test", tmp_path / "project" / "data")
    monkeypatch.chdir(tmp_path / "project")
    assert run("classify", "data", "--backbone", "tiny", "--run", "runs/one").exit_code == 0
    monkeypatch.chdir(tmp_path)
    os.rename("project", "other")
    done = run("replay", "other/runs/one", "--json")
    assert json.loads(done.stdout)["equal"], done.output


def test_a_recorded_working_directory_leads_no_further_than_a_process_may_read(tmp_path, monkeypatch):
    for place in ("secret", "run"):
        (tmp_path / place).mkdir()
    (tmp_path / "secret" / "a.png").touch()
    hostile = Run(tmp_path / "run", "classify", {}, {"working_directory": "../secret"}, None)
    assert found("a.png", hostile) == str(tmp_path / "secret" / "a.png")
    monkeypatch.setattr(reading, "_places", (tmp_path / "run",))
    assert found("a.png", hostile) == "a.png"
    check_there(str(tmp_path / "secret" / "b.png"), tmp_path / "run")  # that it is not there is not said either


@pytest.mark.parametrize("seen", [None, 5, "\0", "../none", ["a"], "/"])
def test_a_damaged_working_directory_is_ignored(seen, tmp_path, monkeypatch):
    run = Run(tmp_path, "classify", {}, {"working_directory": seen}, None)
    assert found("a.png", run) == "a.png"
    monkeypatch.setattr(reading, "_places", (tmp_path,))
    assert found("a.png", run) == "a.png"
    check_there("a\0.png", tmp_path)


def test_a_table_among_the_images_moves_with_them(tmp_path):
    settings = {"data": "was", "labels": "was/labels.csv", "weights": "was-not/a.pt", "seed": 1}
    run = Run(tmp_path, "gan-train", settings, {}, None)
    here = settings_here(run, ["data", "labels", "weights"], "data", "now")
    assert here == {"data": "now", "labels": "now/labels.csv", "weights": "was-not/a.pt", "seed": 1}


@pytest.mark.parametrize("name", ["digits", "mnist", "torchvision:SVHN"])
def test_a_data_set_is_no_path(name, tmp_path):
    check_there(name, tmp_path)


ROWS = [(f"data/{index}.png", "cat", "train", f"{index:016x}") for index in range(4)]


@pytest.mark.parametrize(
    ("rows", "counts", "line"),
    [
        (ROWS, (4, 0, 0, 0), "the same images in another order"),
        ([(f"/now/{row[0]}", *row[1:]) for row in ROWS], (4, 0, 0, 0), "the same images in another order"),
        ([(f"{9 - index}.png", *row[1:]) for index, row in enumerate(ROWS)], (4, 0, 0, 0), None),
        ([(*row[:2], "test", row[3]) for row in ROWS], (4, 0, 0, 0), None),
        ([*ROWS[:3], ("data/3.png", "dog", "train", ROWS[3][3])], (4, 1, 0, 0), "1 of 4 images changed"),
        (ROWS[:2], (4, 0, 2, 0), "2 of 4 images are missing"),
        ([*ROWS, ("data/4.png", "cat", "train", "f" * 16)], (4, 0, 0, 1), "1 is new"),
        ([*ROWS, ("data/4.png", *ROWS[0][1:])], (4, 0, 0, 1), "1 is new"),
        ([("x.png", "cat", "train", "f" * 16)], (4, 0, 4, 1), "none of its 4 images is among them"),
    ],
)
def test_images_are_known_by_what_they_hold(rows, counts, line):
    found = changes(ROWS, rows)
    assert found == Changes(*counts)
    assert bool(found) == any(counts[1:])
    assert line is None or found.line() == line
