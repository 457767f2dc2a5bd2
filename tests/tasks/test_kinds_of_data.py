"""The same images in every form, a bad one among them, nothing to learn: by every command that reads images."""

import json
import math
import shutil
import struct

import numpy as np
import pytest
from command import run
from PIL import Image
from tar_files import packed

from vitrail.tasks import TASKS

GAN = "--size 16 --epochs 1 --batch 4 --width 4 --latent-size 8 --eval-samples 8 --final-eval-samples 8 --no-autotune"
COMMANDS = {
    "classify": "DATA --backbone tiny",
    "check": "DATA --backbone tiny --cache CACHE",
    "transfer": "DATA --backbone tiny --layer features --cache CACHE",
    "predict": "CLASSIFIER DATA --cache CACHE",
    "explain": "DATA --backbone tiny --method gradient --no-faithfulness",
    "attack": "DATA --backbone tiny --method fgsm --epsilon 8/255",
    "audit": "DATA --backbone tiny --linf 4/255 --l2 1",
    "gan-train": f"DATA {GAN} --cache CACHE",
}
ELSEWHERE = {"gan-evaluate", "gan-sweep", "gan-edit", "reproduce"}
"""Commands that read the images of a generator, of `gan train` or of another command as these do."""


def test_every_command_that_reads_images_is_here():
    assert {name for name in TASKS if TASKS[name].images_setting()} - ELSEWHERE == COMMANDS.keys()


@pytest.fixture(scope="module")
def of(classifier, tmp_path_factory):
    """What a command makes of data: its exit code, what it printed, and its `result.json`."""
    home = tmp_path_factory.mktemp("of")

    def done(command, data):
        places = {"DATA": data, "CLASSIFIER": classifier, "CACHE": home / "cache"}
        words = [places.get(word, word) for word in COMMANDS[command].split()]
        place = home / f"{len(list(home.iterdir()))}"
        outcome = run(*command.split("-"), *words, "--run", place)
        result = place / "result.json"
        return outcome, json.loads(result.read_text()) if result.exists() else {}

    return done


def as_folders(root, home):
    return shutil.copytree(root, home / "data")


def as_table(root, home):
    files = sorted(root.rglob("*.png"))
    rows = [f"{file},{file.parent.name},{file.parent.parent.name}" for file in files]
    (home / "list.csv").write_text("\n".join(["file,class,part", *rows]))
    return home / "list.csv"


def as_tars(root, home):
    for part in ("train", "test"):
        files = {str(file.relative_to(root / part)): file.read_bytes() for file in sorted((root / part).rglob("*.png"))}
        (home / "tars").mkdir(exist_ok=True)
        packed(home / "tars" / f"{part}-0.tar", files)
    return home / "tars"


def as_idx(root, home):
    names = sorted(folder.name for folder in (root / "train").iterdir())
    (home / "idx").mkdir()
    for part, name in (("train", "train"), ("test", "t10k")):
        files = sorted((root / part).rglob("*.png"))
        pixels = np.stack([np.array(Image.open(file).convert("L")) for file in files])
        labels = bytes(names.index(file.parent.name) for file in files)
        head = struct.pack(">4B3I", 0, 0, 8, 3, *pixels.shape)
        (home / "idx" / f"{name}-images-idx3-ubyte").write_bytes(head + pixels.tobytes())
        (home / "idx" / f"{name}-labels-idx1-ubyte").write_bytes(struct.pack(">4BI", 0, 0, 8, 1, len(labels)) + labels)
    return home / "idx"


@pytest.mark.parametrize("form", [as_folders, as_table, as_tars, as_idx], ids=lambda form: form.__name__)
@pytest.mark.parametrize("command", COMMANDS)
def test_the_same_images_in_every_form_are_the_same_data(command, form, of, stripes, tmp_path):
    outcome, result = of(command, form(stripes, tmp_path))
    assert outcome.exit_code == 0, outcome.output
    card = result["data"]
    assert card["left_out"] == ({"not in test": 24} if command == "audit" else {})
    assert card["images"] == (12 if command == "audit" else 36)
    if command in ("check", "transfer", "gan-train"):
        assert sorted(card["parts"].values()) == [12, 24]
        assert card["classes"] == 3
    if command in ("classify", "predict", "explain", "attack"):
        assert len(result["images"]) == card["images"]


def blank(path):
    Image.new("RGB", (64, 64)).save(path)


def one_pixel(path):
    Image.new("RGB", (1, 1), (9, 9, 9)).save(path)


def a_line(path):
    Image.new("RGB", (2, 900), (200, 9, 9)).save(path)


def cut_short(path):
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    Image.fromarray(noise).save(path)
    path.write_bytes(path.read_bytes()[:2000])


def text(path):
    path.write_text("<html>not found</html>")


def empty(path):
    path.touch()


def deep(path):
    Image.fromarray(np.random.default_rng(0).integers(0, 1024, (64, 64)).astype(np.uint16)).save(path)


def see_through(path):
    Image.new("RGBA", (64, 64), (1, 2, 3, 0)).save(path)


READABLE = (blank, one_pixel, a_line, deep, see_through)
DAMAGED = (cut_short, text, empty)


@pytest.mark.parametrize("bad", [*READABLE, *DAMAGED], ids=lambda bad: bad.__name__)
@pytest.mark.parametrize("command", COMMANDS)
def test_one_bad_image_costs_the_others_nothing(command, bad, of, stripes, tmp_path):
    data = shutil.copytree(stripes, tmp_path / "data")
    place = data / "test" if command == "audit" else data
    bad(data / "test" / "noise" / "bad.png")
    outcome, result = of(command, place)
    assert outcome.exit_code == 0, outcome.output
    images = (12 if command == "audit" else 36) + (bad in READABLE)
    assert result["data"]["images"] == images
    assert sum(result["data"]["left_out"].values()) == (bad in DAMAGED)
    assert [skip["file"].endswith("bad.png") for skip in result["skipped"]] == [True] * (bad in DAMAGED)
    if "images" in result:
        assert len(result["images"]) == images


def painted(root, counts, colour):
    """Class folders of so many images each, each of the colour that its class and number give."""
    for name, count in counts.items():
        (root / name).mkdir(parents=True)
        for index in range(count):
            Image.new("RGB", (32, 32), colour(name, index)).save(root / name / f"{index}.png")
    return root


NOTHING_TO_LEARN = {
    "all images equal": ({"a": 6, "b": 6}, lambda name, index: (9, 9, 9)),
    "each class of one image": ({"a": 6, "b": 6}, lambda name, index: (9 * ord(name) % 256, 0, 0)),
    "all black": ({"a": 6, "b": 6}, lambda name, index: (0, 0, 0)),
    "one image a class": ({"a": 1, "b": 1, "c": 1, "d": 1}, lambda name, index: (9 * ord(name) % 256, 0, 0)),
    "one class of one": ({"a": 11, "b": 1}, lambda name, index: (20 * index, 9 * ord(name) % 256, 0)),
    "two images": ({"a": 1, "b": 1}, lambda name, index: (9 * ord(name) % 256, 0, 0)),
    "one class": ({"a": 12}, lambda name, index: (20 * index, 0, 0)),
}


def numbers(value, path=""):
    """Every number of a result, and where it stands."""
    if isinstance(value, dict):
        for key, each in value.items():
            yield from numbers(each, f"{path}.{key}")
    elif isinstance(value, list):
        for each in value:
            yield from numbers(each, path)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield path, value


SHARES = ("accuracy", "share", "ece", "probability", "low", "high", "f1", "precision", "recall", "coverage", "density")


@pytest.mark.parametrize("kind", NOTHING_TO_LEARN)
@pytest.mark.parametrize("command", COMMANDS)
def test_where_there_is_nothing_to_learn_each_figure_is_one_or_is_lacking(command, kind, of, tmp_path):
    outcome, result = of(command, painted(tmp_path / "data", *NOTHING_TO_LEARN[kind]))
    assert outcome.exit_code in (0, 1), outcome.output
    assert "Traceback" not in outcome.output
    assert " nan" not in outcome.output.lower()
    assert " inf" not in outcome.output.lower()
    if outcome.exit_code == 1:
        assert outcome.stderr.splitlines()[-1].startswith("Error: ")
    for path, number in numbers(result):
        assert math.isfinite(number), path
        if path.rpartition(".")[2] in SHARES:
            assert 0 <= number <= 1, path
