"""`vitrail attack` through the command line: what is reported of an adversarial image is true of the file."""

import json

import numpy as np
import pytest
import torch
from command import run
from PIL import Image

import vitrail
from vitrail.backbones import BACKBONES, DEFAULT_BACKBONE
from vitrail.images import read_pixels, to_unit
from vitrail.tasks.attack import Attack
from vitrail.tasks.transfer import Transfer


def attacked(tmp_path, *arguments):
    network = () if "--backbone" in arguments else ("--backbone", "tiny")
    done = run("attack", *arguments, *network, "--json", "--run", tmp_path / "run")
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
    """An attack on a pretrained network; the other tests are of what the command does with any network."""
    home = tmp_path_factory.mktemp("spider")
    return home / "run", attacked(home, cat, "--target", "tarantula", "--backbone", "squeezenet")


@pytest.fixture
def across(stripes):
    """An image of the classes that the classifier was trained on."""
    return stripes / "test" / "across" / "0.png"


def test_the_saved_file_is_classified_as_the_target(spider):
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
    for name in ("adversarial", "path"):
        assert (folder / "plots" / f"{name}.png").stat().st_size > 5_000
    assert len((folder / "tables" / "adversarial.csv").read_text().splitlines()) == 2


@pytest.mark.parametrize(
    ("method", "options"),
    [
        ("gradient-ascent", ()),
        ("pgd", ("--epsilon", "0.02", "--steps", "10")),
        ("pgd", ("--norm", "l2", "--epsilon", "2", "--steps", "10")),
        ("apgd", ("--epsilon", "0.02", "--steps", "10")),
        ("deepfool", ()),
        ("carlini-wagner", ("--steps", "20")),
    ],
)
def test_every_attack_goes_through_the_file(method, options, classifier, across, tmp_path):
    (image,) = attacked(tmp_path, across, "--backbone", classifier, "--method", method, *options)["images"]
    assert image["target"] is None
    assert image["verified"], image
    assert image["result"]["index"] != image["source"]["index"]
    if "l2" in options or "--epsilon" not in options:
        return
    assert image["linf"] <= 0.02 + 0.5 / 255  # rounding to 8 bits may add half a step


def test_the_step_size_is_the_length_of_a_step(classifier, across, tmp_path):
    arguments = (across, "--backbone", classifier, "--method", "gradient-ascent")
    (long,) = attacked(tmp_path / "long", *arguments, "--step-size", "20")["images"]
    (usual,) = attacked(tmp_path / "usual", *arguments)["images"]
    assert long["steps"] == 1 < usual["steps"]


def test_images_of_several_sizes_each_get_their_own_target(cat, tmp_path):
    small = tmp_path / "small.png"
    with Image.open(cat) as image:
        image.resize((200, 260)).save(small)
    result = attacked(tmp_path, cat, small, "--target", "down,noise")
    assert [image["result"]["name"] for image in result["images"]] == ["down", "noise"]
    with Image.open(tmp_path / "run" / result["images"][1]["output"]) as image:
        assert image.size == (200, 260)


def test_an_image_of_the_target_class_is_reported(cat, tmp_path):
    name = BACKBONES["tiny"]().classes[verdict(BACKBONES["tiny"](), cat)]
    done = run("attack", cat, "--target", name, "--backbone", "tiny", "--run", tmp_path / "run")
    assert done.exit_code == 1
    assert f"is classified as {name}" in done.stderr
    assert "another target" in done.stderr


def test_the_classifier_just_made_is_attacked(classifier, across, tmp_path):
    (image,) = attacked(tmp_path, across, "--target", "down", "--backbone", classifier)["images"]
    assert (image["source"]["name"], image["result"]["name"]) == ("across", "down")
    assert image["verified"]
    classifier_network = vitrail.load(classifier)
    assert classifier_network.classes[verdict(classifier_network, tmp_path / "run" / image["output"])] == "down"


def test_a_failure_is_reported_as_one(cat, tmp_path):
    options = ("--target", "down", "--method", "fgsm", "--epsilon", "0.0001")
    (image,) = attacked(tmp_path, cat, *options)["images"]
    assert not image["success"]
    assert "output" not in image
    assert image["result"]["index"] == image["source"]["index"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--target", "downn"), "Did you mean down"),
        (("--target", "1,2,3"), "3 targets were given for 1 images"),
        (("--method", "pdg"), "Unknown attack 'pdg'"),
        (("--method", "fgsm"), "fgsm needs an epsilon"),
        (("--epsilon", "-1"), "--epsilon must be greater than 0"),
    ],
)
def test_bad_input_is_one_sentence(arguments, said, cat, tmp_path):
    done = run("attack", cat, *arguments, "--backbone", "tiny", "--run", tmp_path / "run")
    assert done.exit_code in (1, 2)
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("Error: ")]
    assert said in line


def test_the_summary_counts_successes_and_names_the_next_commands(cat, tmp_path):
    done = run("attack", cat, "--backbone", "tiny", "--run", tmp_path / "run")
    assert done.exit_code == 0, done.output
    assert "1 of 1" in done.output
    assert "vitrail explain" in done.output
    assert f"{tmp_path / 'run'}/adversarial/" in done.output.replace("\n", "")


def test_the_network_of_transfer_is_the_default():
    assert Attack(images=("a.png",)).backbone == Transfer(folder="anywhere").backbone[0] == DEFAULT_BACKBONE
