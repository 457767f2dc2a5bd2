"""`vitrail fool` through the command line: what is said of a fooled image is true of the file."""

import json

import numpy as np
import pytest
import torch
from command import run
from PIL import Image

import vitrail
from vitrail.backbones import BACKBONES
from vitrail.images import read_pixels, to_unit


def fooled(tmp_path, *arguments):
    done = run("fool", *arguments, "--json", "--run", tmp_path / "run")
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


def verdict(backbone, file):
    """What `classify` would say, written anew."""
    wish = backbone.preprocessing
    image = read_pixels(file, short_side=wish.short_side, crop=wish.size, interpolation=wish.interpolation)
    with torch.no_grad():
        return int(backbone(to_unit(image)[None]).argmax())


@pytest.fixture(scope="module")
def spider(cat, tmp_path_factory):
    home = tmp_path_factory.mktemp("spider")
    return home / "run", fooled(home, cat, "--target", "tarantula")


def test_the_saved_file_is_taken_for_the_target(spider):
    folder, result = spider
    (image,) = result["images"]
    assert image["success"]
    assert image["verified"]
    assert image["target"] == {"index": 76, "name": "tarantula"}
    assert image["result"]["index"] == verdict(BACKBONES["squeezenet"](), folder / image["output"]) == 76


def test_the_figures_are_those_of_the_saved_file(spider, cat):
    folder, result = spider
    (image,) = result["images"]
    before, after = (np.asarray(Image.open(file), float) / 255 for file in (cat, folder / image["output"]))
    assert before.shape == after.shape == (240, 360, 3)
    assert image["l2"] == pytest.approx(np.linalg.norm(after - before), rel=1e-5)
    assert image["linf"] == pytest.approx(np.abs(after - before).max(), rel=1e-5)
    assert image["l2"] < 2
    assert 0.9 < image["ssim"] <= 1
    assert image["forwards"] > 1
    assert image["backwards"] > 0


def test_there_are_figures_and_a_table(spider):
    folder, _ = spider
    for name in ("fooled", "path"):
        assert (folder / "plots" / f"{name}.png").stat().st_size > 5_000
    assert len((folder / "tables" / "fooled.csv").read_text().splitlines()) == 2


@pytest.mark.parametrize(
    ("method", "options"),
    [
        ("gradient-ascent", ()),
        ("projected-gradient", ("--radius", "0.02", "--steps", "10")),
        ("projected-gradient", ("--norm", "l2", "--radius", "2", "--steps", "10")),
        ("auto-projected-gradient", ("--radius", "0.02", "--steps", "10")),
        ("deep-fool", ()),
        ("carlini-wagner", ("--steps", "20")),
    ],
)
def test_every_attack_goes_through_the_file(method, options, cat, tmp_path):
    (image,) = fooled(tmp_path, cat, "--method", method, *options)["images"]
    assert image["target"] is None
    assert image["verified"], image
    assert image["result"]["index"] != image["source"]["index"]
    if "l2" in options or "--radius" not in options:
        return
    assert image["linf"] <= 0.02 + 0.5 / 255  # rounding to 8 bits may add half a step


def test_the_rate_is_the_length_of_a_step(cat, tmp_path):
    (image,) = fooled(tmp_path, cat, "--method", "gradient-ascent", "--rate", "20")["images"]
    assert image["steps"] == 1
    with_the_usual = fooled(tmp_path / "usual", cat, "--method", "gradient-ascent")["images"][0]
    assert with_the_usual["steps"] > 1


def test_images_of_several_sizes_each_get_their_own_target(cat, tmp_path):
    small = tmp_path / "small.png"
    with Image.open(cat) as image:
        image.resize((200, 260)).save(small)
    result = fooled(tmp_path, cat, small, "--target", "tarantula,goldfish")
    assert [image["result"]["name"] for image in result["images"]] == ["tarantula", "goldfish"]
    with Image.open(tmp_path / "run" / result["images"][1]["output"]) as image:
        assert image.size == (200, 260)


def test_a_image_that_is_taken_for_the_target_already_is_said_to_be(cat, tmp_path):
    name = BACKBONES["squeezenet"]().classes[verdict(BACKBONES["squeezenet"](), cat)]
    done = run("fool", cat, "--target", name, "--run", tmp_path / "run")
    assert done.exit_code == 1
    assert f"is taken for {name}" in done.stderr
    assert "already; choose another target" in done.stderr


def test_the_classifier_just_made_is_fooled(classifier, stripes, tmp_path):
    file = stripes / "test" / "across" / "0.png"
    (image,) = fooled(tmp_path, file, "--target", "down", "--backbone", classifier)["images"]
    assert (image["source"]["name"], image["result"]["name"]) == ("across", "down")
    assert image["verified"]
    classifier_network = vitrail.load(classifier)
    assert classifier_network.classes[verdict(classifier_network, tmp_path / "run" / image["output"])] == "down"


def test_a_failure_is_told_as_one(cat, tmp_path):
    options = ("--target", "tarantula", "--method", "fast-gradient", "--radius", "0.0001")
    (image,) = fooled(tmp_path, cat, *options)["images"]
    assert not image["success"]
    assert "output" not in image
    assert image["result"]["index"] == image["source"]["index"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--target", "tarantulla"), "Did you mean tarantula"),
        (("--target", "1,2,3"), "3 targets were given for 1 images"),
        (("--method", "pgd"), "Unknown attack 'pgd'"),
        (("--method", "fast-gradient"), "fast-gradient needs --radius"),
        (("--radius", "-1"), "--radius must be greater than 0"),
    ],
)
def test_bad_input_is_one_sentence(arguments, said, cat, tmp_path):
    done = run("fool", cat, *arguments, "--run", tmp_path / "run")
    assert done.exit_code in (1, 2)
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("Error: ")]
    assert said in line
