"""Transfer learning through its public face, on a small set of stripes that any network tells apart."""

import json

import numpy as np
import pytest
import torch
from PIL import Image
from typer.testing import CliRunner

import vitrail
from vitrail.cli.app import app
from vitrail.images import read_picture, to_unit
from vitrail.transfer.evaluation import confusion_matrix, wilson_interval
from vitrail.transfer.head import sharpness_of


def run(*arguments):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.fixture(scope="module")
def stripes(tmp_path_factory):
    root = tmp_path_factory.mktemp("stripes")
    rng = np.random.default_rng(0)
    for part, count in (("train", 8), ("test", 4)):
        for name in ("across", "down", "noise"):
            folder = root / part / name
            folder.mkdir(parents=True)
            for index in range(count):
                wave = 127 + 100 * np.sin(np.arange(64) / (1 + rng.random()))
                grey = {"across": np.tile(wave, (64, 1)), "down": np.tile(wave, (64, 1)).T}.get(name)
                grey = rng.integers(0, 255, (64, 64)) if grey is None else grey + rng.normal(0, 8, (64, 64))
                Image.fromarray(grey.clip(0, 255).astype(np.uint8)).save(folder / f"{index}.png")
    return root


@pytest.fixture(scope="module")
def made(stripes, tmp_path_factory):
    home = tmp_path_factory.mktemp("made")
    done = run("transfer", stripes, "--backbone", "squeezenet", "--json", "--run", home / "run", "--cache", home / "c")
    assert done.exit_code == 0, done.output
    return home, json.loads(done.stdout)


def test_the_result_has_the_keys_others_rely_on(made):
    _, result = made
    assert result["test"]["accuracy"] == 1.0
    assert result["test"]["n"] == 12
    assert result["test"]["interval"][0] < 1
    assert {row["name"] for row in result["test"]["per_class"]} == {"across", "down", "noise"}
    assert result["choice"].keys() == {"backbone", "layer", "C", "head"}
    assert len(result["curve_C"]) == 10
    assert {"features", "fit", "total"} <= result["seconds"].keys()
    assert result["backbone"][0]["sha256"].startswith("f286bbf4")


def test_a_second_run_sends_nothing_through_the_network(made, stripes):
    home, first = made
    done = run("transfer", stripes, "--backbone", "squeezenet", "--json", "--run", home / "two", "--cache", home / "c")
    second = json.loads(done.stdout)
    assert (first["computed"], second["computed"]) == (36, 0)
    assert second["test"] == first["test"]


def test_a_run_is_repeated_to_the_bit(made):
    home, _ = made
    done = run("replay", home / "run", "--runs", home / "again", "--json")
    assert json.loads(done.stdout)["equal"], done.output


def test_predict_and_the_differentiable_network_agree(made, stripes):
    home, _ = made
    file = stripes / "test" / "down" / "0.png"
    done = run("predict", home / "run", file, "--json", "--run", home / "p", "--cache", home / "c")
    top = json.loads(done.stdout)["pictures"][0]["top"]
    assert top[0]["name"] == "down"
    classifier = vitrail.load(home / "run")
    wish = classifier.preparation
    image = to_unit(read_picture(file, short_side=wish.short_side, crop=wish.size))[None].requires_grad_()
    logits = classifier(image)
    (slope,) = torch.autograd.grad(logits[0, top[0]["index"]], image)
    assert slope.isfinite().all()
    assert slope.abs().max() > 0
    assert float(logits.detach().softmax(1)[0, top[0]["index"]]) == pytest.approx(top[0]["probability"], abs=1e-3)


def test_two_runs_are_compared_and_reported(made, stripes):
    home, _ = made
    extra = ["--head", "logistic", "--layer", "fire9", "--cache", home / "c", "--run", home / "logistic"]
    assert run("transfer", stripes, "--backbone", "squeezenet", *extra).exit_code == 0
    done = run("compare", home / "run", home / "logistic", "--json", "--run", home / "compared")
    assert [row["head"] for row in json.loads(done.stdout)["runs"]] == ["svm", "logistic"]
    assert run("report", home / "run", home / "logistic", "--output", home / "r.html").exit_code == 0
    assert "http" not in (home / "r.html").read_text().replace("http-equiv", "")


def test_a_folder_without_test_part_is_split_and_the_split_kept(stripes, tmp_path):
    done = run(
        "transfer", stripes / "train", "--backbone", "squeezenet", "--layer", "fire9", "--json",
        "--run", tmp_path / "run", "--cache", tmp_path / "c",
    )  # fmt: skip
    assert json.loads(done.stdout)["test"]["n"] == 6
    assert (tmp_path / "run" / "tables" / "split.csv").read_text().count(",test\n") == 6


@pytest.mark.parametrize("trouble", ["missing", "empty class", "broken class", "one class"])
def test_a_folder_that_cannot_be_learned_from_is_one_sentence(trouble, tmp_path):
    root = tmp_path / "set"
    for name in {"missing": (), "one class": ("a",)}.get(trouble, ("a", "b")):
        (root / name).mkdir(parents=True)
        Image.new("L", (20, 20)).save(root / name / "x.png")
    if trouble == "empty class":
        (root / "b" / "x.png").unlink()
    if trouble == "broken class":
        (root / "b" / "x.png").write_text("text")
    arguments = ["--backbone", "squeezenet", "--layer", "fire9", "--run", tmp_path / "run", "--cache", tmp_path / "c"]
    done = run("transfer", root, *arguments)
    assert done.exit_code == 1
    errors = [line for line in done.stderr.splitlines() if line.startswith("Error:")]
    assert len(errors) == 1


def test_wilsons_interval():
    low, high = wilson_interval(8, 10)
    assert (low, high) == (pytest.approx(0.4902, abs=1e-4), pytest.approx(0.9433, abs=1e-4))
    assert wilson_interval(0, 0) == (0.0, 1.0)


def test_confusion_counts_rows_as_true():
    matrix = confusion_matrix(np.array([0, 0, 1]), np.array([0, 1, 1]), 2)
    assert matrix.tolist() == [[1, 1], [0, 1]]


def test_sharpness_recovers_the_scale_of_known_logits():
    rng = np.random.default_rng(0)
    logits = 3 * rng.normal(size=(20_000, 4))
    odds = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    labels = (odds.cumsum(axis=1) > rng.random((20_000, 1))).argmax(axis=1)
    assert sharpness_of(logits / 5, labels) == pytest.approx(5, rel=0.05)
