"""`vitrail gan edit` through the command line, on small images with two attributes: bright, and how stripes run.

What is tested is that everything is there and true of the files; how good edits are is measured in `benchmarks/`.
"""

import json
import shutil

import numpy as np
import pytest
from command import run
from gan_folders import SIDE, described, finished, trained_on_attributes
from PIL import Image


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """`data/`: 64 images and a table; `run/`: a generator and encoders trained on them; `cache/`."""
    return trained_on_attributes(tmp_path_factory.mktemp("edit"))


def edited(home, name, *arguments):
    options = ("--inversion-steps", 5, "--cache", home / "cache", "--run", home / name, "--json")
    return run("gan", "edit", home / "run", *arguments, *options)


@pytest.fixture(scope="module")
def two(home):
    """Two images made dark, and a file that is none."""
    (home / "broken.png").write_text("no image")
    files = [home / "data" / "images" / name for name in ("01.png", "03.png")]
    done = edited(home, "two", *files, home / "broken.png", "--set", "bright=0", "--steps", 5)
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


def test_a_table_with_other_attributes_than_the_generators_is_no_judge(home):
    table = home / "data" / "labels.csv"
    before = table.read_text()
    lines = before.splitlines()
    table.write_text("\n".join([f"{lines[0]},third", *(f"{line},{n % 2}" for n, line in enumerate(lines[1:]))]))
    try:
        done = edited(home, "changed", home / "data" / "images" / "01.png", "--set", "bright=0")
    finally:
        table.write_text(before)
    assert done.exit_code == 0, done.output
    said = " ".join(done.stderr.split())
    assert "Success is not measured, because the training images have changed: these have" in said
    assert json.loads(done.stdout)["success_rate"] is None


def test_a_table_outside_the_folder_need_not_move_with_it(home, tmp_path):
    shutil.copy(home / "data" / "labels.csv", tmp_path / "table.csv")
    shutil.copytree(home / "data" / "images", tmp_path / "here")
    tiny = ("--epochs", 1, "--batch", 16, "--width", 4, "--latent-size", 8, "--encoder-epochs", 0, "--no-autotune")
    cache = ("--cache", home / "cache")
    data = (tmp_path / "here", "--labels", tmp_path / "table.csv", "--size", SIDE)
    done = run("gan", "train", *data, *tiny, *cache, "--run", tmp_path / "run")
    assert done.exit_code == 0, done.output
    (tmp_path / "here").rename(tmp_path / "there")
    options = ("--samples", 16, "--no-gan-train", "--run", tmp_path / "evaluated")
    done = run("gan", "evaluate", tmp_path / "run", "--data", tmp_path / "there", *cache, *options)
    assert done.exit_code == 0, done.output
    assert "bright, across" in done.output


def test_training_stores_encoders_and_their_metrics(home):
    result = json.loads((home / "run" / "result.json").read_text())
    encoder = result["encoder"]
    assert encoder["attribute_accuracy"].keys() == {"bright", "across"}
    assert 0 < encoder["latent_error"] < 3
    assert 0 < encoder["reconstruction_error"] < 1
    assert encoder["n"] == 16
    assert (home / "run" / "weights" / "encoder.safetensors").is_file()


def test_the_model_card_is_the_generators(home):
    assert "gan sample" in (home / "run" / "README.md").read_text()


def test_every_image_has_its_files(home, two):
    for entry in two["images"]:
        shapes = {kind: np.asarray(Image.open(home / "two" / file)).shape for kind, file in entry["output"].items()}
        assert shapes == {
            "original": (SIDE, SIDE, 3),
            "reconstruction": (SIDE, SIDE, 3),
            "edited": (SIDE, SIDE, 3),
            "strip": (SIDE, 5 * SIDE, 3),
        }
    for name in ("images/strips", "plots/edited"):
        assert (home / "two" / f"{name}.png").stat().st_size > 1_000
    assert (home / "two" / "tables" / "edited.csv").read_text().count("\n") == 3


def test_the_metrics_are_those_of_the_files(home, two):
    for entry in two["images"]:
        original, reconstruction = (
            np.asarray(Image.open(home / "two" / entry["output"][kind]), float) / 255
            for kind in ("original", "reconstruction")
        )
        assert entry["reconstruction_error"] == pytest.approx(((original - reconstruction) ** 2).mean(), rel=1e-4)
        assert entry["edits"] == {"bright": 0}
        for when in ("before", "after"):
            assert entry["judge"][when].keys() == {"bright", "across"}
        assert entry["success"] == (entry["judge"]["after"]["bright"] <= 0.5)
        assert entry["identity"]["ratio"] == pytest.approx(
            entry["identity"]["distance"] / entry["identity"]["baseline"]
        )
    assert two["n"] == 2
    assert two["success_rate"] == sum(entry["success"] for entry in two["images"]) / 2
    assert two["changed"]["bright"]["succeeded"] <= two["changed"]["bright"]["n"] <= 2
    assert 0.5 < two["changed"]["bright"]["judge_accuracy"] <= 1  # on real images


def test_images_that_cannot_be_read_are_skipped_and_named(two):
    (skipped,) = two["skipped"]
    assert skipped["file"].endswith("broken.png")


def test_the_original_is_the_image_as_the_generator_sees_it(home, two):
    given = np.asarray(Image.open(home / "data" / "images" / "01.png"))
    kept = np.asarray(Image.open(home / "two" / two["images"][0]["output"]["original"]))
    assert np.array_equal(given, kept)


def test_inversion_lowers_the_error(home):
    files = sorted((home / "data" / "images").iterdir())[:8]
    done = edited(home, "refined", *files, "--set", "bright=0", "--set", "across=1", "--inversion-steps", 30)
    result = json.loads(done.stdout)
    assert result["reconstruction_error"] < result["encoder_error"]


@pytest.mark.parametrize(("flag", "first"), [("--keep-details", "original"), ("--no-keep-details", "reconstruction")])
def test_a_strip_leads_from_the_image_or_its_reconstruction_to_the_edit(home, flag, first):
    done = edited(home, f"strip{flag}", home / "data" / "images" / "01.png", "--set", "bright=0", flag)
    output = json.loads(done.stdout)["images"][0]["output"]
    kept = {kind: np.asarray(Image.open(home / f"strip{flag}" / file)) for kind, file in output.items()}
    assert np.array_equal(kept["strip"][:, :SIDE], kept[first])
    assert np.array_equal(kept["strip"][:, -SIDE:], kept["edited"])


def test_more_strength_changes_more(home):
    changes = []
    for strength in ("0.5", "3"):
        file = home / "data" / "images" / "01.png"
        done = edited(home, f"strength{strength}", file, "--set", "bright=0", "--strength", strength)
        output = json.loads(done.stdout)["images"][0]["output"]
        pair = [np.asarray(Image.open(home / f"strength{strength}" / output[kind]), float) for kind in output]
        changes.append(np.abs(pair[2] - pair[0]).mean())
    assert changes[0] < changes[1]


def test_a_repeated_run_gives_the_same_images(home, two):
    again = run("replay", home / "two", "--runs", home / "again", "--json")
    assert json.loads(again.stdout)["equal"], again.output


def test_without_the_training_images_success_is_not_measured(home, tmp_path):
    shutil.copytree(home / "run", tmp_path / "moved")
    file = tmp_path / "moved" / "weights" / "generator.json"
    description = json.loads(file.read_text())
    description["data"]["source"] = str(tmp_path / "gone")
    file.write_text(json.dumps(description))
    file = home / "data" / "images" / "00.png"
    options = ("--inversion-steps", 0, "--run", tmp_path / "run")
    done = run("gan", "edit", tmp_path / "moved", file, "--set", "bright=1", *options)
    assert done.exit_code == 0, done.output
    assert "Success is not measured" in done.output
    result = json.loads((tmp_path / "run" / "result.json").read_text())
    (entry,) = result["images"]
    assert entry["success"] is entry["judge"] is result["success_rate"] is entry["identity"]["ratio"] is None


@pytest.mark.parametrize(
    ("edits", "message"),
    [
        ((), "No edit was given. Use --set bright=1."),
        (("--set", "bright"), "must be 1 or 0; got 'bright'. Use bright=1."),
        (("--set", "brigt=1"), "There is no attribute 'brigt'. Did you mean bright?"),
        (("--set", "bright=1", "--set", "bright=0"), "bright is set to 0 and to 1."),
    ],
)
def test_edits_that_are_none_are_one_sentence(home, edits, message, tmp_path):
    done = run("gan", "edit", home / "run", home / "data" / "images" / "00.png", *edits, "--run", tmp_path / "run")
    assert done.exit_code == 1
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("Error: ")]
    assert message in line


def test_a_run_without_encoder_or_attributes_is_refused(home, tmp_path):
    shutil.copytree(home / "run", tmp_path / "bare")
    (tmp_path / "bare" / "weights" / "encoder.safetensors").unlink()
    file = home / "data" / "images" / "00.png"
    done = run("gan", "edit", tmp_path / "bare", file, "--set", "bright=1", "--run", tmp_path / "one")
    assert done.exit_code == 1
    assert "holds no encoder" in done.stderr

    classes = finished(tmp_path / "classes", described("classes", channels=3))
    done = run("gan", "edit", classes, file, "--set", "bright=1", "--run", tmp_path / "two")
    assert done.exit_code == 1
    assert "has no attributes" in done.stderr


def test_damaged_encoders_are_one_sentence(home, tmp_path):
    shutil.copytree(home / "run", tmp_path / "cut")
    weights = tmp_path / "cut" / "weights" / "encoder.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])
    file = home / "data" / "images" / "00.png"
    done = run("gan", "edit", tmp_path / "cut", file, "--set", "bright=1", "--run", tmp_path / "run")
    assert done.exit_code == 1
    assert "is damaged" in done.stderr


def test_no_readable_image_is_an_error(home, tmp_path):
    (tmp_path / "bad.png").write_text("no image")
    done = run("gan", "edit", home / "run", tmp_path / "bad.png", "--set", "bright=1", "--cache", home / "cache",
               "--run", tmp_path / "run")  # fmt: skip
    assert done.exit_code == 1
    assert "No image could be read" in done.stderr


@pytest.mark.slow
def test_unreadable_training_images_are_named(home):
    image = home / "data" / "images" / "63.png"
    kept = image.read_bytes()
    image.write_text("no image")
    options = ("--set", "bright=0", "--inversion-steps", 0, "--cache", home / "cache", "--run", home / "unread")
    done = run("gan", "edit", home / "run", home / "data" / "images" / "01.png", *options)
    image.write_bytes(kept)
    assert done.exit_code == 0, done.output
    assert "Skipped: '" in done.output
    assert "63.png" in done.output
