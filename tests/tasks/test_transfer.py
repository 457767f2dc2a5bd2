"""Transfer learning through its public face, on a small set of stripes that any network tells apart."""

import json
import re
import shutil

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file
from typer.testing import CliRunner

import vitrail
from vitrail.backbones import BACKBONES
from vitrail.cli.app import app
from vitrail.images import read_pixels, to_unit
from vitrail.tasks.transfer import BEST, Transfer


def run(*arguments):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.fixture(scope="module")
def trained(stripes, tmp_path_factory):
    home = tmp_path_factory.mktemp("trained")
    done = run("transfer", stripes, "--backbone", "squeezenet", "--json", "--run", home / "run", "--cache", home / "c")
    assert done.exit_code == 0, done.output
    return home, json.loads(done.stdout)


def test_the_result_has_the_keys_others_rely_on(trained):
    _, result = trained
    assert result["test"]["accuracy"] == 1.0
    assert result["test"]["n"] == 12
    assert result["test"]["interval"][0] < 1
    assert 0 <= result["test"]["ece"] <= 1
    assert {row["name"] for row in result["test"]["per_class"]} == {"across", "down", "noise"}
    assert result["choice"].keys() == {"backbone", "layer", "C", "head"}
    assert len(result["curve_C"]) == 10
    assert {"features", "fit", "total"} <= result["seconds"].keys()
    assert result.keys() >= {"task", "backbone", "device", "seed", "run", "skipped", "curve_layer", "images_per_second"}
    assert result["backbone"][0]["sha256"].startswith("f286bbf4")


def test_a_second_run_sends_nothing_through_the_network(trained, stripes):
    home, first = trained
    done = run("transfer", stripes, "--backbone", "squeezenet", "--json", "--run", home / "two", "--cache", home / "c")
    second = json.loads(done.stdout)
    assert (first["computed"], second["computed"]) == (36, 0)
    assert second["test"] == first["test"]


def test_a_run_is_repeated_bit_identically(trained):
    home, _ = trained
    done = run("replay", home / "run", "--runs", home / "again", "--json")
    assert json.loads(done.stdout)["equal"], done.output


def test_predict_and_the_differentiable_network_agree(trained, stripes):
    home, _ = trained
    file = stripes / "test" / "down" / "0.png"
    done = run("predict", home / "run", file, "--json", "--run", home / "p", "--cache", home / "c")
    top = json.loads(done.stdout)["images"][0]["top"]
    assert top[0]["name"] == "down"
    classifier = vitrail.load(home / "run")
    how = classifier.preprocessing
    image = to_unit(read_pixels(file, short_side=how.short_side, crop=how.size))[None].requires_grad_()
    logits = classifier(image)
    (gradient,) = torch.autograd.grad(logits[0, top[0]["index"]], image)
    assert gradient.isfinite().all()
    assert gradient.abs().max() > 0
    assert float(logits.detach().softmax(1)[0, top[0]["index"]]) == pytest.approx(top[0]["probability"], abs=1e-3)


def test_two_runs_are_compared_and_reported(trained, stripes):
    home, _ = trained
    extra = ["--head", "logistic", "--layer", "fire9", "--cache", home / "c", "--run", home / "logistic"]
    assert run("transfer", stripes, "--backbone", "squeezenet", *extra).exit_code == 0
    done = run("compare", home / "run", home / "logistic", "--json", "--run", home / "compared")
    assert [row["head"] for row in json.loads(done.stdout)["runs"]] == ["svm", "logistic"]
    assert run("report", home / "run", home / "logistic", "--output", home / "r.html").exit_code == 0
    assert "http" not in (home / "r.html").read_text().replace("http-equiv", "")


def test_a_folder_without_test_part_is_split_and_the_split_recorded(stripes, tmp_path):
    done = run(
        "transfer", stripes / "train", "--backbone", "squeezenet", "--layer", "fire9", "--json",
        "--run", tmp_path / "run", "--cache", tmp_path / "c",
    )  # fmt: skip
    assert json.loads(done.stdout)["test"]["n"] == 6
    files = (tmp_path / "run" / "tables" / "files.csv").read_text()
    assert files.startswith("file,class,part,sha256\n")
    assert (files.count(",train,"), files.count(",test,")) == (18, 6)


@pytest.mark.parametrize("new", [0, 4])
def test_copies_of_training_images_are_said_before_the_accuracy(new, tmp_path):
    """Images of noise: nothing can be learned from them, and the copies are remembered."""
    rng = np.random.default_rng(0)
    for name in ("a", "b"):
        for part, number in (("train", 12), ("test", new)):
            (tmp_path / "set" / part / name).mkdir(parents=True)
            for k in range(number):
                noise = rng.integers(0, 256, (24, 24, 3), dtype=np.uint8)
                Image.fromarray(noise).save(tmp_path / "set" / part / name / f"{part}{k}.png")
        for k in range(5):
            shutil.copy(tmp_path / "set" / "train" / name / f"train{k}.png", tmp_path / "set" / "test" / name)
    shutil.copy(tmp_path / "set" / "train" / "a" / "train11.png", tmp_path / "set" / "train" / "b" / "again.png")
    options = ("--backbone", "squeezenet", "--layer", "fire9", "--C", "1", "--cache", tmp_path / "c")
    done = run("transfer", tmp_path / "set", *options, "--run", tmp_path / "run")
    assert done.exit_code == 0, done.output
    result = json.loads((tmp_path / "run" / "result.json").read_text())
    assert (result["test"]["copies"], result["data"]["copies_across_parts"]) == (10, 10)
    without = result["test"]["without_copies"]
    assert without["n"] == 2 * new
    said = " ".join(done.stdout.split())
    assert "10 test images are among the training images too" in said
    assert said.index("among the training images too") < said.index("chance level")
    if new:
        assert f"accuracy without them {100 * without['accuracy']:.1f} %" in said
    else:
        assert without["accuracy"] is None
        assert "says nothing of new images" in said
    assert "1 image is in more than one class, with the very same bytes." in said


@pytest.mark.parametrize("trouble", ["missing", "empty class", "broken class", "one class"])
def test_an_unusable_folder_is_one_error(trouble, tmp_path):
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


def transfer(*arguments):
    """The result of a run that must succeed."""
    done = run("transfer", *arguments, "--json")
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


@pytest.mark.slow
def test_features_are_averaged_with_those_of_mirror_images_and_cached_apart(trained, stripes):
    home, plain = trained
    arguments = (stripes, "--backbone", "squeezenet", "--layer", "fire9", "--cache", home / "c")
    flipped = transfer(*arguments, "--average-flip", "--run", home / "flipped")
    assert flipped["computed"] == 36  # the mirrored copies only: the others were in the cache
    assert transfer(*arguments, "--average-flip", "--run", home / "flipped again")["computed"] == 0
    assert transfer(*arguments, "--run", home / "plain again")["computed"] == 0
    classifier = vitrail.load(home / "flipped")
    image = to_unit(read_pixels(stripes / "test" / "down" / "0.png", short_side=256, crop=227))[None]
    with torch.no_grad():
        torch.testing.assert_close(classifier(image), classifier(image.flip(3)), atol=1e-4, rtol=1e-4)
        probabilities = classifier(image).softmax(1)[0]
    where = ("--run", home / "flipped prediction", "--cache", home / "c")
    top = json.loads(run("predict", home / "flipped", stripes / "test" / "down" / "0.png", "--json", *where).stdout)
    best = top["images"][0]["top"][0]
    assert float(probabilities[best["index"]]) == pytest.approx(best["probability"], abs=1e-3)


def test_features_of_several_networks_are_concatenated(trained, stripes):
    home, _ = trained
    names = "squeezenet,efficientnet-lite0"
    result = transfer(
        stripes, "--backbone", names, "--layer", "logits", "--cache", home / "c", "--run", home / "several"
    )
    assert [entry["name"] for entry in result["backbone"]] == names.split(",")
    assert result["test"]["accuracy"] == 1.0
    file = stripes / "test" / "across" / "1.png"
    top = json.loads(run("predict", home / "several", file, "--json", "--run", home / "p2").stdout)["images"][0]["top"]
    classifier = vitrail.load(home / "several")
    how = classifier.preprocessing
    image = to_unit(read_pixels(file, short_side=how.short_side, crop=how.size, interpolation=how.interpolation))
    with torch.no_grad():
        probabilities = classifier(image[None]).softmax(1)[0]
    assert float(probabilities[top[0]["index"]]) == pytest.approx(top[0]["probability"], abs=0.05)


@pytest.mark.slow
def test_the_best_preset_is_three_networks_and_their_mirror_images(stripes, tmp_path):
    result = transfer(stripes, "--preset", "best", "--cache", tmp_path / "c", "--run", tmp_path / "run")
    assert [entry["name"] for entry in result["backbone"]] == [
        "efficientnet-lite0",
        "efficientnet-lite0-320",
        "squeezenet",
    ]
    assert result["computed"] == 3 * 2 * 36
    assert json.loads((tmp_path / "run" / "weights" / "head.json").read_text())["flip"]


@pytest.mark.parametrize("layers", ["deep", "all"])
def test_fine_tuning_trains_the_chosen_layers_and_predict_uses_them(layers, stripes, tmp_path):
    arguments = (
        "--backbone",
        "squeezenet",
        "--head",
        "fine-tune",
        "--train-layers",
        layers,
        "--epochs",
        2,
        "--cache",
        tmp_path,
    )
    result = transfer(stripes, *arguments, "--run", tmp_path / "run")
    assert result["choice"]["head"] == "fine-tune"
    assert [point["epoch"] for point in result["curve_epoch"]] == [1, 2]
    assert result["curve_epoch"][1]["loss"] < result["curve_epoch"][0]["loss"]
    original = BACKBONES["squeezenet"]().network.state_dict()
    tuned = load_file(tmp_path / "run" / "weights" / "network.safetensors")
    assert tuned.keys() == original.keys()
    changed = {name for name in tuned if not torch.equal(tuned[name], original[name])}
    deep = {"features.9", "features.10", "features.11", "features.12"}  # fire6 is features.9, the first feature layer
    lowest = {name for name in changed if ".".join(name.split(".")[:2]) not in deep}
    assert changed
    assert bool(lowest) == (layers == "all")
    compared = json.loads(run("compare", tmp_path / "run", "--json", "--runs", tmp_path).stdout)
    assert [row["head"] for row in compared["runs"]] == ["fine-tune"]
    file = stripes / "test" / "noise" / "0.png"
    top = json.loads(run("predict", tmp_path / "run", file, "--json", "--run", tmp_path / "p").stdout)["images"][0]
    classifier = vitrail.load(tmp_path / "run")
    with torch.no_grad():
        probabilities = classifier(to_unit(read_pixels(file, short_side=256, crop=227))[None]).softmax(1)[0]
    assert float(probabilities[top["top"][0]["index"]]) == pytest.approx(top["top"][0]["probability"], abs=1e-3)


def test_a_class_of_one_image_and_a_class_absent_from_test(stripes, tmp_path):
    for part in ("train", "test"):
        shutil.copytree(stripes / part, tmp_path / "set" / part)
    rare = tmp_path / "set" / "train" / "rare"
    rare.mkdir()
    Image.new("L", (64, 64), 200).save(rare / "only.png")
    shutil.rmtree(tmp_path / "set" / "test" / "noise")
    arguments = ("--backbone", "squeezenet", "--layer", "fire9", "--cache", tmp_path / "c", "--run", tmp_path / "run")
    result = transfer(tmp_path / "set", *arguments)
    rows = {row["name"]: row for row in result["test"]["per_class"]}
    assert result["test"]["n"] == 8
    assert (rows["rare"]["n"], rows["rare"]["recall"]) == (0, None)
    assert (rows["noise"]["n"], rows["noise"]["recall"]) == (0, None)
    assert rows["down"]["recall"] == 1.0


@pytest.mark.slow
def test_fine_tuning_gives_the_same_network_for_the_same_seed(stripes, tmp_path):
    arguments = ("--backbone", "squeezenet", "--head", "fine-tune", "--epochs", 1, "--cache", tmp_path / "c")
    for name in ("one", "two"):
        transfer(stripes, *arguments, "--run", tmp_path / name)
    one, two = (load_file(tmp_path / name / "weights" / "network.safetensors") for name in ("one", "two"))
    assert all(torch.equal(one[name], two[name]) for name in one)


def test_fine_tuning_takes_one_network(stripes, tmp_path):
    done = run(
        "transfer", stripes, "--backbone", "squeezenet,alexnet", "--head", "fine-tune", "--run", tmp_path / "run"
    )
    assert done.exit_code == 2
    assert "one network; got 2" in done.stderr
    layers = ("--backbone", "squeezenet", "--layer", "fire8,fire9")
    done = run("transfer", stripes, *layers, "--head", "fine-tune", "--run", tmp_path / "run")
    assert "one layer; got 2" in done.stderr


def test_a_preset_is_recorded_as_the_settings_it_stands_for():
    best = Transfer(folder="anywhere", preset="best")
    assert (best.backbone, best.average_flip) == (BEST, True)
    assert Transfer(**best.model_dump(mode="json")) == best  # so that a replay does the same
    assert Transfer(folder="anywhere", preset="best", backbone="squeezenet").backbone == ("squeezenet",)
    assert Transfer(folder="anywhere", backbone="squeezenet,squeezenet").backbone == ("squeezenet",)


def test_the_summary_names_what_a_person_wants_to_know(stripes, tmp_path):
    options = ("--backbone", "squeezenet", "--layer", "fire9", "--cache", tmp_path / "c", "--run", tmp_path / "run")
    output = run("transfer", stripes, *options).stdout
    for label in ("accuracy", "chance level", "classifier", "time", "vitrail predict", "vitrail explain"):
        assert label in output
    assert "rows true" not in output  # the confusion matrix is in a file
    assert (tmp_path / "run" / "tables" / "confusion.csv").is_file()
    card = (tmp_path / "run" / "README.md").read_text()
    assert all(part in card for part in ("image-classification", "squeezenet: MIT", "95 % interval", "vitrail.load"))


def test_the_summary_names_classes_without_test_image_and_how_many_are_as_weak(stripes, tmp_path):
    folder = tmp_path / "data"
    shutil.copytree(stripes, folder)
    for name in ("one", "two"):  # the same images under two names cannot be told apart
        shutil.copytree(stripes / "train" / "noise", folder / "train" / name)
        shutil.copytree(stripes / "test" / "noise", folder / "test" / name)
    shutil.rmtree(folder / "test" / "across")
    options = ("--backbone", "tiny", "--layer", "features", "--cache", tmp_path / "c", "--run", tmp_path / "run")
    done = run("transfer", folder, *options)
    assert done.exit_code == 0, done.output
    said = " ".join(done.stdout.split())
    assert "not tested across (no test image)" in said
    assert re.search(r"worst class (noise|one|two)( and \d others?)?: recall \d+\.\d % of \d+ images", said)


def test_a_classifier_holds_the_weights_that_it_was_given(stripes, tmp_path):
    """So that it can be handed on, and opens nothing elsewhere."""
    from safetensors.torch import save_file

    state = BACKBONES["tiny"]().network.state_dict()
    changed = {name: 0.9 * value if value.is_floating_point() else value for name, value in state.items()}
    save_file(changed, tmp_path / "w.safetensors")
    options = ("--backbone", "tiny", "--no-use-cache", "--run", tmp_path / "run")
    done = run("transfer", stripes, "--weights", tmp_path / "w.safetensors", *options)
    assert done.exit_code == 0, done.output
    (tmp_path / "w.safetensors").unlink()
    (tmp_path / "run").rename(tmp_path / "moved")
    assert str(tmp_path / "w.safetensors") not in (tmp_path / "moved" / "weights" / "head.json").read_text()
    done = run("predict", tmp_path / "moved", stripes / "test", "--no-use-cache", "--json", "--run", tmp_path / "p")
    assert done.exit_code == 0, done.output
    predicted = json.loads((tmp_path / "p" / "result.json").read_text())["images"]
    right = sum(each["top"][0]["name"] == each["file"].split("/")[-2] for each in predicted)
    accuracy = json.loads((tmp_path / "moved" / "result.json").read_text())["test"]["accuracy"]
    assert right / len(predicted) == pytest.approx(accuracy)
