"""Targets that are none, radii beyond the range, and the figures that an attack prints."""

import json
from pathlib import Path

import pytest
from command import run as command
from drawings import drawn, lay
from small_runs import TINY, refused, succeeded

pytestmark = pytest.mark.usefixtures("without_figures")

CLASSES = ("across", "down", "noise", "other")


@pytest.fixture
def cat():
    drawn("cat", 0, side=40).save("cat.png")
    return "cat.png"


@pytest.fixture
def own(cat):
    """The class that the network sees in the image."""
    done = command("classify", cat, *TINY, "--json", "--run", "classified")
    return json.loads(done.stdout)["images"][0]["top"][0]


WRONG = {
    "-1": "A number of a class has no sign; got '-1'. Use 0 to 3.",
    "+3": "A number of a class has no sign; got '+3'. Use 0 to 3.",
    "--1": "There is no class '--1'.", "_7": "There is no class '_7'.", "0,": "There is no class '0,'.",
    "3.0": "There is no class '3.0'.", "²": "There is no class '²'.", "4": "There is no class number 4. Use 0 to 3.",
    "1000": "There is no class number 1000. Use 0 to 3.", "crane": "There is no class 'crane'.",
}  # fmt: skip


@pytest.mark.parametrize("target", WRONG)
def test_a_target_that_is_no_class_is_refused(target, cat):
    """34: A number with a sign, or something that is no number of a class, is given for a class."""
    assert WRONG[target] in refused("attack", cat, *TINY, f"--target={target}")
    assert WRONG[target] in refused("explain", cat, *TINY, f"--target={target}")
    if target in ("-1", "1000"):
        assert WRONG[target] in refused("attack", cat, *TINY, "--target", target)
        assert WRONG[target] in refused("visualise", *TINY, "--judge", "none", "--run", "shown", "--", target)


@pytest.mark.parametrize("method", ["fgsm", "pgd", "apgd"])
@pytest.mark.parametrize(("epsilon", "instead"), [("8", "0.03137 for 8/255"), ("255", "1 for 255/255"), ("1.5", "0.0")])
def test_a_radius_of_255ths_is_refused_and_the_right_one_named(method, epsilon, instead, cat):
    """34: The radius is given as for values of 0 to 255, where they are 0 to 1."""
    sentence = refused("attack", cat, *TINY, "--method", method, "--epsilon", epsilon)
    assert "epsilon of linf is at most 1, as intensities are in [0, 1]" in sentence
    assert f"Use {instead}" in sentence


def test_the_radius_that_is_named_is_taken(cat):
    """34: The advice is followed."""
    run = succeeded("run", "attack", cat, *TINY, "--method", "pgd", "--epsilon", "0.03137", "--steps", 2)
    assert run.result["images"][0]["linf"] <= 8.5 / 255


@pytest.mark.parametrize("options", ["--linf 8", "--linf 0.01,8", "--autoattack --autoattack-epsilon 8"])
def test_an_audit_refuses_such_a_radius_too(options, cat):
    """34: The same radius is given to `audit`."""
    assert "8/255" in refused("audit", cat, *TINY, *options.split())


@pytest.mark.parametrize("epsilon", ["0", "-1", "inf", "nan"])
def test_a_radius_that_is_none_is_refused(epsilon, cat):
    """34: No radius at all."""
    assert "--epsilon must be" in refused("attack", cat, *TINY, "--method", "pgd", f"--epsilon={epsilon}")


@pytest.mark.parametrize("as_number", [False, True])
def test_an_image_of_the_target_already_is_said_to_be(as_number, cat, own):
    """27: The image is to be taken for what it is taken for."""
    target = own["index"] if as_number else own["name"]
    sentence = refused("attack", cat, *TINY, "--target", target)
    assert sentence.startswith(f"'cat.png' is classified as {own['name']} (")
    assert sentence.endswith(" %) already. Use another target.")


def test_images_of_the_target_already_do_not_end_the_run(transfer):
    """27: Of several images some are taken for the target already."""
    classifier = transfer(lay("data", {"brick": 5, "grass": 5}), to="classifier").folder
    run = succeeded("run", "attack", "data", "--backbone", classifier, "--target", "brick", "--steps", 8)
    images = run.result["images"]
    assert {image["source"]["name"] for image in images} == {"brick", "grass"}
    for image in images:
        is_one = image["source"]["name"] == "brick"
        assert image.get("misclassified_before", False) == is_one
        assert image["success"] != is_one


COMMANDS = {
    "an attack": ("attack", "--steps", 4), "a radius": ("attack", "--method", "pgd", "--epsilon", "0.03"),
    "a radius too small": ("attack", "--method", "fgsm", "--epsilon", "0.00001"),
    "an audit": ("audit",), "maps": ("explain", "--method", "grad-cam,gradient"), "classes": ("classify",),
}  # fmt: skip


@pytest.mark.parametrize("what", COMMANDS)
def test_percentages_are_printed_without_blanks_of_another_kind(what, cat):
    """27: What is printed is copied into a text, or read by a program."""
    name, *options = COMMANDS[what]
    done = command(name, cat, *TINY, *options, "--run", "run")
    assert done.exit_code == 0, done.output
    assert " %" in done.stdout
    assert not {"\xa0", "\u202f", "\u2009"} & set(done.output + Path("run/result.json").read_text())


def test_an_attack_that_fails_is_counted_as_one(cat):
    """27: The radius is so small that rounding to whole values undoes the attack."""
    run = succeeded("run", "attack", cat, *TINY, "--method", "fgsm", "--epsilon", "0.00001")
    assert not run.result["images"][0]["success"]
    assert "success 0 of 1" in run.said


def test_a_margin_that_is_not_reached_is_no_success(cat, own):
    """27: A margin is required that the network never gives: the attack says that it failed."""
    target = next(name for name in CLASSES if name != own["name"])
    run = succeeded("run", "attack", cat, *TINY, "--target", target, "--confidence", 50, "--steps", 4)
    assert run.result["images"][0]["result"]["probability"] < 0.99  # far from a margin of 50
    assert not run.result["images"][0]["success"]
