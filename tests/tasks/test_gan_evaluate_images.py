"""`vitrail gan evaluate SAMPLES --against REAL`: generated images of any program."""

import json

import numpy as np
import pytest
from command import run
from PIL import Image

from vitrail.decoding import decode
from vitrail.gan.image_evaluation import sample_files
from vitrail.metrics.degradations import blur


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


def pictures(count, seed, hue):
    """Blobs of a hue on a ground of many scales, (N, 3, 32, 32)."""
    import torch
    import torch.nn.functional as F

    draws = torch.Generator().manual_seed(seed)
    whole = torch.zeros(count, 3, 32, 32)
    for cells in (2, 4, 8, 16, 32):
        coarse = torch.randn(count, 3, cells, cells, generator=draws)
        whole += F.interpolate(coarse, size=(32, 32), mode="bicubic") / cells**0.3
    whole[:, hue] += 1.5
    return (110 + 35 * whole).clamp(0, 255).to(torch.uint8)


def store(folder, pixels, kind="png"):
    folder.mkdir(parents=True, exist_ok=True)
    for number, image in enumerate(pixels.permute(0, 2, 3, 1).numpy()):
        Image.fromarray(image).save(folder / f"{number}.{kind}")
    return folder


@pytest.fixture(scope="module")
def real(tmp_path_factory):
    folder = tmp_path_factory.mktemp("real")
    for hue, name in enumerate(("red", "green")):
        store(folder / name, pictures(90, hue, hue))
    return folder


def evaluated(*arguments, cache, run_folder=None):
    where = ["--run", run_folder] if run_folder else []
    done = run("gan", "evaluate", *arguments, "--feature-extractor", "squeezenet", "--cache", cache, *where, "--json")
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout), done


@pytest.fixture(scope="module")
def outcome(real, cache, tmp_path_factory):
    """One class alone, blurred; some files that are no images; some that are real ones."""
    home = tmp_path_factory.mktemp("samples")
    samples = store(home / "samples", blur(pictures(100, 7, 0), 0.9))
    (samples / "broken.png").write_bytes(b"nothing")
    for number in range(3):
        (samples / f"copy{number}.png").write_bytes((real / "red" / f"{number}.png").read_bytes())
    result, _ = evaluated(samples, "--against", real, cache=cache, run_folder=home / "run")
    return result, home / "run"


def test_everything_is_in_the_result(outcome):
    result, _ = outcome
    assert {"name", "value", "baseline", "n", "extractor"} <= result["metrics"][0].keys()
    assert result["scale"]["degradation"] == "blur"
    assert {"metric", "degradation", "values", "distinguished"} <= result["certificate"][0].keys()
    assert result["samples"] == 103
    assert result["equal_to_real_images"] == 3
    assert 1 <= result["near_copies"] <= 10
    assert [entry["file"].rpartition("/")[2] for entry in result["skipped"]] == ["broken.png"]
    shown = {entry["name"] for entry in result["metrics"]}
    assert "frechet-distance" in shown
    assert shown.isdisjoint(entry["name"] for entry in result["refused"])


def test_the_class_that_is_missing_is_seen(outcome):
    covered = outcome[0]["coverage_per_class"]
    assert set(covered) == {"red", "green"}
    assert covered["green"] < covered["red"]


def test_the_figure_has_a_row_of_samples(outcome):
    _, folder = outcome
    _, sheet = decode(str(folder / "images" / "scale.png"))
    assert sheet.size[1] > 7 * 32  # real images, five levels, and the samples
    assert (folder / "tables" / "coverage_per_class.csv").is_file()
    assert (folder / "tables" / "metrics.csv").is_file()


def test_blurred_images_are_further_away_than_real_ones(real, cache, tmp_path):
    levels = []
    for name, sigma in (("real", 0), ("little", 0.5), ("more", 1.5)):
        pixels = pictures(100, 5, 0)
        pixels[50:] = pictures(50, 6, 1)
        samples = store(tmp_path / name, blur(pixels, sigma) if sigma else pixels, "bmp")
        result, _ = evaluated(samples, "--against", real, cache=cache)
        levels.append(result["scale"]["level"] or 0.0)
        assert result["equal_to_real_images"] == 0
    assert levels[0] < levels[1] < levels[2]


def test_grey_samples_and_coloured_real_images_are_compared(real, cache, tmp_path):
    samples = tmp_path / "grey"
    samples.mkdir()
    for number, image in enumerate(pictures(20, 3, 0)[:, 0].numpy()):
        Image.fromarray(image).save(samples / f"{number}.png")
    result, _ = evaluated(samples, "--against", real, "--size", 24, cache=cache)
    assert np.isfinite([entry["value"] for entry in result["metrics"]]).all()
    assert result["scale"] is None  # fewer samples than the certificate was made with


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["{samples}"], ["folder of images", "--against"]),
        (["{samples}", "--against", "{real}", "--data", "{real}"], ["--data", "Use one of the two"]),
        (["{run}", "--against", "{real}"], ["is a run", "Use --data"]),
        (["{samples}", "--size", "16"], ["--size", "Leave it out"]),
        (["{few}", "--against", "{real}"], ["3 readable images", "Use at least 8"]),
        (["{nothing}", "--against", "{real}"], ["no image"]),
        (["{samples}", "--against", "{few}"], ["too few"]),
        (["{samples}", "--against", "{nothing}/none"], ["none"]),
        (["{samples}", "--against", "{real}", "--size", "4"], ["size"]),
    ],
)
def test_what_cannot_be_is_one_sentence(arguments, words, real, outcome, tmp_path, cache):
    places = {
        "real": real,
        "run": outcome[1],
        "samples": store(tmp_path / "samples", pictures(10, 0, 0)),
        "few": store(tmp_path / "few", pictures(3, 0, 0)),
        "nothing": tmp_path / "nothing",
    }
    places["nothing"].mkdir()
    given = [argument.format(**places) for argument in arguments]
    done = run("gan", "evaluate", *given, "--cache", cache, "--runs", tmp_path / "runs")
    assert done.exit_code == (2 if words[0].startswith(("--", "size")) else 1)
    for word in words:
        assert word in " ".join(done.output.split())
    assert "Traceback" not in done.output
    assert not (tmp_path / "runs").exists() or not any((tmp_path / "runs").iterdir())


def test_a_run_of_samples_is_measured_without_its_sheet(tmp_path):
    folder = tmp_path / "run"
    (folder / "images").mkdir(parents=True)
    for name in ("sample_000001", "sample_000002", "samples"):
        Image.new("RGB", (8, 8)).save(folder / "images" / f"{name}.png")
    for given in (folder / "images", folder):
        if given == folder:
            (folder / "settings.json").write_text("{}")
        assert [file.stem for file in sample_files(given)] == ["sample_000001", "sample_000002"]
    alone = tmp_path / "others"
    alone.mkdir()
    Image.new("RGB", (8, 8)).save(alone / "samples.png")
    assert [file.name for file in sample_files(alone)] == ["samples.png"]
