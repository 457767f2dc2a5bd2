"""`vitrail gan walk` through the command line: its ends are the images that `gan sample` makes."""

import json
import os

import numpy as np
import pytest
import torch
from command import run
from PIL import Image

from gan_folders import described, finished, unfinished
from vitrail.gan.generator import load
from vitrail.tasks.gan_walk import GanWalk
from vitrail.tasks.gan_walk_run import _asked, _columns, _rows


def walked(source, folder, *arguments):
    done = run("gan", "walk", source, *arguments, "--json", "--run", folder)
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


def cut(sheet, row, column, *, left, side=48):
    """One image of a strip, as it was before it was enlarged."""
    top, left = 22 + row * (side + 2), left + column * (side + 2)
    return sheet[top : top + side : side // 16, left : left + side : side // 16]


@pytest.fixture(scope="module")
def sources(tmp_path_factory):
    home = tmp_path_factory.mktemp("generators")
    made = {told: finished(home / told, described(told)) for told in ("classes", "attributes")}
    made["nothing"] = finished(home / "nothing", described("nothing", "dcgan", channels=3))
    made["unfinished"] = unfinished(home / "unfinished", described("classes"))
    return made


def test_all_classes_walk_along_the_same_latents(sources, tmp_path):
    result = walked(sources["classes"], tmp_path / "run", "--steps", 4, "--to-seed", 3)
    assert result["classes"] == ["zero", "one", "two"]
    assert (result["frames"], result["seeds"], result["skipped"]) == (5, [0, 3], [])
    assert result["outputs"] == ["images/strip.png", "images/walk.gif"]
    sheet = np.asarray(Image.open(tmp_path / "run" / "images" / "strip.png").convert("RGB"))
    left = sheet.shape[1] - (5 * 50 - 2)
    generator = load(sources["classes"])
    for row in range(3):
        for column, seed in ((0, 0), (4, 3)):
            image = generator.images(generator.latents(seed, 1), torch.tensor([row]))[0, 0].numpy()
            np.testing.assert_array_equal(cut(sheet, row, column, left=left)[..., 0], image)
    with Image.open(tmp_path / "run" / "images" / "walk.gif") as film:
        assert film.n_frames == 5
        assert film.size == (3 * (96 + 6), 96 + 22 + 4)


def test_colour_and_a_generator_that_is_told_nothing(sources, tmp_path):
    result = walked(sources["nothing"], tmp_path / "run", "--seeds", "4,7,9", "--steps", 3, "--loop")
    assert (result["frames"], result["classes"], result["seeds"]) == (9, [], [4, 7, 9])
    sheet = np.asarray(Image.open(tmp_path / "run" / "images" / "strip.png").convert("RGB"))
    generator = load(sources["nothing"])
    for column, seed in ((0, 4), (3, 7), (6, 9), (9, 4)):
        image = generator.images(generator.latents(seed, 1), torch.zeros(1, dtype=torch.long))[0]
        np.testing.assert_array_equal(cut(sheet, 0, column, left=0), image.permute(1, 2, 0).numpy())


def test_from_class_to_class_with_one_seed(sources, tmp_path):
    result = walked(sources["unfinished"], tmp_path / "run", "--seeds", 5, "--class", "one", "--to-class", "2")
    assert result["classes"] == ["one to two"]
    task = GanWalk(generator=sources["classes"], seeds="5", wanted=("one",), to_wanted=("2",), steps=4)
    row = _asked(task, load(sources["classes"]))
    assert row.told.tolist() == [[0, 1, 0], [0, 0.75, 0.25], [0, 0.5, 0.5], [0, 0.25, 0.75], [0, 0, 1]]
    back = task.model_copy(update={"loop": True, "steps": 2})
    assert _asked(back, load(sources["classes"])).shares.tolist() == [0, 0.5, 1, 0.5]


def test_only_attributes_that_are_named_change(sources):
    generator = load(sources["attributes"])
    task = GanWalk(generator=sources["attributes"], wanted=("Male=0",), to_wanted=("Male=1",), steps=2)
    row = _asked(task, generator)
    assert row.told[:, 0].tolist() == [-1, 0, 1]
    assert len(set(row.told[:, 1].tolist())) == 1
    together = _rows(GanWalk(generator=sources["attributes"]), generator)
    assert [each.name for each in together] == ["−Male +Young", "+Male +Young", "−Male −Young"]


@pytest.mark.parametrize(("seeds", "steps", "loop"), [("0,1", 24, False), ("1,2,3", 24, True), ("1,2,3,4", 50, False)])
def test_the_strip_holds_the_seeds_own_images(seeds, steps, loop):
    task = GanWalk(generator="anywhere", seeds=seeds, steps=steps, loop=loop)
    columns = _columns(task, 25)
    assert len(columns) <= 25
    keypoints = {index * steps for index in range(len(task.keypoints))}
    assert keypoints <= set(columns)
    assert columns[-1] == (0 if loop else task.frames - 1)
    assert len(_columns(GanWalk(generator="anywhere", seeds=",".join(map(str, range(40))), steps=2), 25)) == 25


def test_an_mp4_is_made_if_there_is_an_ffmpeg(sources, tmp_path, monkeypatch):
    program = tmp_path / "bin" / "ffmpeg"
    program.parent.mkdir()
    program.write_text('#!/bin/sh\nfor last; do :; done\necho "$@" > "$0.told"\ncat > "$last"\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}{os.environ['PATH']}")
    result = walked(sources["nothing"], tmp_path / "run", "--steps", 2, "--mp4", "--milliseconds", 40)
    assert result["outputs"][-1] == "images/walk.mp4"
    assert (tmp_path / "run" / "images" / "walk.mp4").stat().st_size == 3 * 198 * 218 * 3
    told = (tmp_path / "bin" / "ffmpeg.told").read_text()
    assert "-video_size 198x218 -framerate 1000/40 -i pipe:0" in told
    program.write_text("#!/bin/sh\necho no encoder >&2\nexit 1\n")
    result = walked(sources["nothing"], tmp_path / "failed", "--steps", 2, "--mp4")
    assert "made no MP4 (no encoder)" in result["skipped"][0]["reason"]


def test_without_an_ffmpeg_it_says_so_and_the_gif_is_there(sources, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    done = run("gan", "walk", sources["nothing"], "--steps", 2, "--mp4", "--run", tmp_path / "run")
    assert done.exit_code == 0
    assert "The GIF shows the same frames." in done.output
    assert json.loads((tmp_path / "run" / "result.json").read_text())["skipped"][0]["file"] == "images/walk.mp4"
    assert (tmp_path / "run" / "images" / "walk.gif").is_file()


def test_a_walk_is_repeated_to_the_bit(sources, tmp_path):
    walked(sources["classes"], tmp_path / "run", "--seeds", "2,5", "--class", "one", "--loop", "--steps", 3)
    done = run("replay", tmp_path / "run", "--runs", tmp_path / "runs", "--json")
    assert json.loads(done.stdout)["equal"], done.stdout
    (again,) = (tmp_path / "runs").iterdir()
    for file in (tmp_path / "run" / "images").iterdir():
        assert file.read_bytes() == (again / "images" / file.name).read_bytes()


@pytest.mark.parametrize(
    ("told", "arguments", "said"),
    [
        ("classes", ("--seeds", "1,2", "--from-seed", "3"), "leave out --from-seed and --to-seed"),
        ("classes", ("--to-class", "two"), "nothing where it begins; add --class"),
        ("classes", ("--seeds", "4,4"), "From seed 4 to itself there is no way"),
        ("classes", ("--seeds", "1,two"), "--seeds must be a valid integer"),
        ("classes", ("--seeds", "1,-2"), "--seeds must be greater than or equal to 0; got '-2'"),
        ("classes", ("--seeds", "1,2,3,4", "--steps", "300"), "at most 600 frames; got 901"),
        ("classes", ("--class", "onee"), "There is no class 'onee'. Did you mean one"),
        ("attributes", ("--class", "Male=1", "--to-class", "Male"), "must be 1 or 0; got 'Male'"),
        ("nothing", ("--class", "two"), "is unconditional"),
    ],
)
def test_bad_input_is_one_sentence(told, arguments, said, sources, tmp_path):
    done = run("gan", "walk", sources[told], *arguments, "--run", tmp_path / "run")
    assert done.exit_code in (1, 2)
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("Error: ")]
    assert said in line
