"""`vitrail gan interpolate` through the command line: frames at a seed are the images of `gan sample`."""

import json
import os

import numpy as np
import pytest
import torch
from command import run
from gan_folders import described, finished, unfinished
from PIL import Image

from vitrail.gan.generator import load
from vitrail.gan.interpolation import interpolate_seeds
from vitrail.gan.keypoints import Keypoints


def interpolated(source, folder, *arguments):
    done = run("gan", "interpolate", source, *arguments, "--json", "--run", folder)
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


def test_all_classes_have_the_same_latents(sources, tmp_path):
    result = interpolated(sources["classes"], tmp_path / "run", "--steps", 4, "--to-seed", 3)
    assert result["classes"] == ["zero", "one", "two"]
    assert (result["frames"], result["seeds"], result["skipped"]) == (5, [0, 3], [])
    assert result["outputs"] == ["images/strip.png", "images/interpolation.gif"]
    sheet = np.asarray(Image.open(tmp_path / "run" / "images" / "strip.png").convert("RGB"))
    left = sheet.shape[1] - (5 * 50 - 2)
    generator = load(sources["classes"])
    for row in range(3):
        for column, seed in ((0, 0), (4, 3)):
            image = generator.images(generator.latents(seed, 1), torch.tensor([row]))[0, 0].numpy()
            np.testing.assert_array_equal(cut(sheet, row, column, left=left)[..., 0], image)
    with Image.open(tmp_path / "run" / "images" / "interpolation.gif") as film:
        assert film.n_frames == 5
        assert film.size == (3 * (96 + 6), 96 + 22 + 4)


def test_an_unconditional_generator_of_colour_images(sources, tmp_path):
    result = interpolated(sources["nothing"], tmp_path / "run", "--seeds", "4,7,9", "--steps", 3, "--loop")
    assert (result["frames"], result["classes"], result["seeds"]) == (9, [], [4, 7, 9])
    sheet = np.asarray(Image.open(tmp_path / "run" / "images" / "strip.png").convert("RGB"))
    generator = load(sources["nothing"])
    for column, seed in ((0, 4), (3, 7), (6, 9), (9, 4)):
        image = generator.images(generator.latents(seed, 1), torch.zeros(1, dtype=torch.long))[0]
        np.testing.assert_array_equal(cut(sheet, 0, column, left=0), image.permute(1, 2, 0).numpy())


def test_from_class_to_class_with_one_seed(sources, tmp_path):
    result = interpolated(sources["unfinished"], tmp_path / "run", "--seeds", 5, "--class", "one", "--to-class", "2")
    assert result["classes"] == ["one to two"]
    between = {"label": "one", "to_label": "2"}
    (row,) = interpolate_seeds(load(sources["classes"]), (5,), **between, steps=4).rows
    assert row.condition.tolist() == [[0, 1, 0], [0, 0.75, 0.25], [0, 0.5, 0.5], [0, 0.25, 0.75], [0, 0, 1]]
    (row,) = interpolate_seeds(load(sources["classes"]), (5,), **between, steps=2, loop=True).rows
    assert row.fractions.tolist() == [0, 0.5, 1, 0.5]


def test_only_attributes_that_are_named_change(sources):
    generator = load(sources["attributes"])
    (row,) = interpolate_seeds(generator, label={"Male": 0}, to_label={"Male": 1}, steps=2).rows
    assert row.condition[:, 0].tolist() == [-1, 0, 1]
    assert len(set(row.condition[:, 1].tolist())) == 1
    rows = interpolate_seeds(generator).rows
    assert [each.name for each in rows] == ["−Male +Young", "+Male +Young", "−Male −Young"]


@pytest.mark.parametrize(
    ("seeds", "steps", "loop"), [((0, 1), 24, False), ((1, 2, 3), 24, True), ((1, 2, 3, 4), 50, False)]
)
def test_the_strip_holds_the_seeds_own_images(seeds, steps, loop):
    keypoints = Keypoints(seeds, steps, loop)
    columns = keypoints.frames_of_strip(25)
    assert len(columns) <= 25
    assert {index * steps for index in range(len(seeds))} <= set(columns)
    assert columns[-1] == (0 if loop else keypoints.frames - 1)
    assert len(Keypoints(tuple(range(40)), 2).frames_of_strip(25)) == 25


def test_an_mp4_is_made_if_there_is_an_ffmpeg(sources, tmp_path, monkeypatch):
    program = tmp_path / "bin" / "ffmpeg"
    program.parent.mkdir()
    program.write_text('#!/bin/sh\nfor last; do :; done\necho "$@" > "$0.told"\ncat > "$last"\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}{os.environ['PATH']}")
    result = interpolated(sources["nothing"], tmp_path / "run", "--steps", 2, "--mp4", "--milliseconds", 40)
    assert result["outputs"][-1] == "images/interpolation.mp4"
    assert (tmp_path / "run" / "images" / "interpolation.mp4").stat().st_size == 3 * 198 * 218 * 3
    told = (tmp_path / "bin" / "ffmpeg.told").read_text()
    assert "-video_size 198x218 -framerate 1000/40 -i pipe:0" in told
    program.write_text("#!/bin/sh\necho no encoder >&2\nexit 1\n")
    result = interpolated(sources["nothing"], tmp_path / "failed", "--steps", 2, "--mp4")
    assert "made no MP4 (no encoder)" in result["skipped"][0]["reason"]


def test_without_an_ffmpeg_it_says_so_and_the_gif_is_there(sources, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    done = run("gan", "interpolate", sources["nothing"], "--steps", 2, "--mp4", "--run", tmp_path / "run")
    assert done.exit_code == 0
    assert "The GIF has the same frames." in done.output
    assert (
        json.loads((tmp_path / "run" / "result.json").read_text())["skipped"][0]["file"] == "images/interpolation.mp4"
    )
    assert (tmp_path / "run" / "images" / "interpolation.gif").is_file()


def test_a_replay_is_bit_identical(sources, tmp_path):
    interpolated(sources["classes"], tmp_path / "run", "--seeds", "2,5", "--class", "one", "--loop", "--steps", 3)
    done = run("replay", tmp_path / "run", "--runs", tmp_path / "runs", "--json")
    assert json.loads(done.stdout)["equal"], done.stdout
    (again,) = (tmp_path / "runs").iterdir()
    for file in (tmp_path / "run" / "images").iterdir():
        assert file.read_bytes() == (again / "images" / file.name).read_bytes()


@pytest.mark.parametrize(
    ("told", "arguments", "said"),
    [
        ("classes", ("--seeds", "1,2", "--from-seed", "3"), "--from-seed and --to-seed have no effect"),
        ("classes", ("--to-class", "two"), "without a start label"),
        ("classes", ("--seeds", "4,4"), "Neither seed nor label changes"),
        ("classes", ("--seeds", "1,two"), "--seeds must be a whole number"),
        ("classes", ("--seeds", "1,-2"), "--seeds must be greater than or equal to 0; got '-2'"),
        ("classes", ("--seeds", "1,2,3,4", "--steps", "300"), "at most 600 frames; got 901"),
        ("classes", ("--class", "onee"), "There is no class 'onee'. Did you mean one"),
        ("attributes", ("--class", "Male=1", "--to-class", "Male"), "must be 1 or 0; got 'Male'"),
        ("nothing", ("--class", "two"), "is unconditional"),
    ],
)
def test_bad_input_is_one_sentence(told, arguments, said, sources, tmp_path):
    done = run("gan", "interpolate", sources[told], *arguments, "--run", tmp_path / "run")
    assert done.exit_code in (1, 2)
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("Error: ")]
    assert said in line
