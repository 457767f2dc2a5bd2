"""Idx files as images: a path for each, in parts, for every command that takes a folder."""

import gzip
import json
import shutil
import struct
from pathlib import Path

import numpy as np
import pytest
from command import run

import vitrail
from vitrail.errors import BadFolder, BadImage
from vitrail.images import read_pixels


def write_idx(root, counts=(24, 8), labels=None):
    """Dark ones and bright threes, in the four files, two of them packed."""
    rng = np.random.default_rng(0)
    root.mkdir()
    for part, count, pack in (("train", counts[0], gzip.compress), ("t10k", counts[1], bytes)):
        names = np.where(np.arange(count) % 2, 3, 1).astype(np.uint8) if labels is None else labels[part]
        images = rng.integers(0, 120, (count, 12, 10), dtype=np.uint8) + (names[:count, None, None] == 3) * np.uint8(
            120
        )
        ending = ".gz" if pack is gzip.compress else ""
        head = struct.pack(">4B3I", 0, 0, 8, 3, *images.shape)
        (root / f"{part}-images-idx3-ubyte{ending}").write_bytes(pack(head + images.tobytes()))
        labels_head = struct.pack(">4BI", 0, 0, 8, 1, len(names))
        (root / f"{part}-labels-idx1-ubyte{ending}").write_bytes(pack(labels_head + names.tobytes()))
        if part == "t10k":
            held_out = images
    return held_out


def test_each_image_has_a_path_a_class_and_a_part(tmp_path):
    pixels = write_idx(tmp_path / "set")
    data = vitrail.open_dataset(tmp_path / "set")
    assert (data.classes, len(data), data.parts.count("test")) == (("1", "3"), 32, 8)
    test = data.part("test")
    assert test.files[5] == tmp_path / "set" / "t10k-images-idx3-ubyte" / "00005.pgm"
    assert [test.classes[label] for label in test.labels] == ["1", "3"] * 4
    for file, expected in zip(test.files, pixels, strict=True):
        assert np.array_equal(read_pixels(file), np.repeat(expected[None], 3, axis=0))


@pytest.fixture(scope="module")
def idx(tmp_path_factory):
    root = tmp_path_factory.mktemp("idx") / "set"
    write_idx(root)
    return root


ONE = "t10k-images-idx3-ubyte/00001.pgm"
COMMANDS = {
    "classify": lambda idx: [idx, "--backbone", "tiny"],
    "classify one": lambda idx: [idx / ONE, "--backbone", "tiny"],
    "check": lambda idx: [idx, "--backbone", "tiny", "--no-use-cache"],
    "transfer": lambda idx: [idx, "--backbone", "tiny", "--no-use-cache"],
    "audit": lambda idx: [idx, "--backbone", "tiny", "--max-images", 2],
    "explain": lambda idx: [idx / ONE, "--backbone", "tiny", "--no-faithfulness"],
    "attack": lambda idx: [idx / ONE, "--backbone", "tiny", "--steps", 2],
    "gan train": lambda idx: [idx, "--epochs", 1, "--batch", 8, "--width", 4, "--eval-samples", 8, "--no-autotune"],
}


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_that_takes_images_takes_them(name, idx, tmp_path):
    words = [word for word in name.split() if word != "one"]
    home = ["--cache", tmp_path / "cache"] if name == "gan train" else []
    done = run(*words, *COMMANDS[name](idx), *home, "--run", tmp_path / "run")
    assert done.exit_code == 0, done.output
    data = json.loads((tmp_path / "run" / "result.json").read_text())["data"]
    expected = {"check": 32, "transfer": 32, "gan train": 32, "classify": 32, "audit": 2}
    assert data["images"] == expected.get(name, 1)


def test_a_classifier_of_them_is_right_and_predicts(idx, tmp_path):
    cache = ("--cache", tmp_path / "cache")
    assert run("transfer", idx, "--backbone", "tiny", *cache, "--run", tmp_path / "run").exit_code == 0
    result = json.loads((tmp_path / "run" / "result.json").read_text())
    assert (result["test"]["accuracy"], result["data"]["parts"]) == (1.0, {"train": 24, "test": 8})
    done = run("predict", tmp_path / "run", idx / ONE, *cache, "--json", "--run", tmp_path / "predicted")
    assert json.loads(done.stdout)["images"][0]["top"][0]["name"] == "3"


@pytest.mark.parametrize("name", ["00008.pgm", "-1.pgm", "x.pgm", "00001.png", "a/00001.pgm", "٣.pgm"])
def test_a_path_that_leads_to_no_image(name, idx):
    with pytest.raises(BadImage):
        read_pixels(idx / "t10k-images-idx3-ubyte" / name)


def test_files_that_are_cut_short_or_do_not_fit(idx, tmp_path):
    for name in ("t10k-labels-idx1-ubyte", "train-images-idx3-ubyte.gz"):
        broken = tmp_path / name
        shutil.copytree(idx, broken)
        (broken / name).write_bytes((broken / name).read_bytes()[:-3])
        with pytest.raises(BadFolder, match=r"Use|images and"):
            vitrail.open_dataset(broken)
    alone = tmp_path / "alone"
    shutil.copytree(idx, alone)
    (alone / "t10k-labels-idx1-ubyte").unlink()
    with pytest.raises(BadFolder, match="has no file t10k-labels-idx1-ubyte"):
        vitrail.open_dataset(alone)


def test_a_file_of_another_name_is_no_idx_file(tmp_path):
    (tmp_path / "notes").write_text("x")
    with pytest.raises(BadImage):
        read_pixels(Path(tmp_path / "notes" / "00001.pgm"))


@pytest.mark.parametrize("shape", [(0, 4, 4), (3_000_000, 0, 4), (3, 4, 0), (1_000_001, 1, 1)])
def test_images_of_no_pixels_and_too_many_to_name_are_refused_at_once(idx, tmp_path, shape):
    folder = tmp_path / "set"
    shutil.copytree(idx, folder)
    pixels = bytes(shape[0]) if shape[1:] == (1, 1) else b""
    content = gzip.compress(struct.pack(">4B3I", 0, 0, 8, 3, *shape) + pixels)
    (folder / "train-images-idx3-ubyte.gz").write_bytes(content)
    with pytest.raises(BadFolder, match="1 to 1,000,000 images"):
        vitrail.open_dataset(folder)


def test_one_such_file_beside_class_folders_is_left_out(stripes, idx, tmp_path):
    data = tmp_path / "data"
    shutil.copytree(stripes / "train", data)
    shutil.copy(next(idx.glob("train-images*")), data / "train-images-idx3-ubyte")
    found = vitrail.open_dataset(data)
    assert (len(found), len(found.classes), dict(found.left_out)) == (24, 3, {"without suffix": 1})
