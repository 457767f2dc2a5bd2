"""Shapes are checked at run time wherever signatures state them; and a small set of images to learn from."""

import errno
import os
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest
import torch
from jaxtyping import install_import_hook
from PIL import Image

import tiny_network
from vitrail import reading

ROOMS = (
    *("transfer", "images", "decoding", "backbones", "plots"),
    *("image_ascent", "attributions", "attacks", "visualisation", "metrics"),
    *("gan_architectures", "gan_training", "dataset_check"),
)
CHECKED = [f"vitrail.{room}" for room in ROOMS]
install_import_hook(CHECKED, "beartype.beartype(conf=beartype.BeartypeConf(is_pep484_tower=True))")

if "PYTEST_XDIST_WORKER" in os.environ:  # as many workers as cores: threads of theirs would wait for each other
    torch.set_num_threads(1)


def pytest_addoption(parser):
    parser.addoption("--whole", action="store_true", help="run the campaigns of tests/torture as `make torture` does")
    parser.addoption("--campaign-seed", type=int, default=0, help="seed of those campaigns")


def pytest_configure(config):
    """`--backbone tiny` is known to every test, and to the processes that tests start."""
    home = tempfile.TemporaryDirectory(prefix="vitrail-tiny-")
    config.add_cleanup(home.cleanup)
    folder = str(tiny_network.install(Path(home.name) / "installed"))
    sys.path.insert(0, folder)
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, (folder, os.environ.get("PYTHONPATH"))))


NAMES = ("across", "down", "noise")


@pytest.fixture(scope="session")
def stripes(tmp_path_factory):
    """Folder with train/ (8 a class) and test/ (4 a class): stripes and noise, which any network tells apart."""
    root = tmp_path_factory.mktemp("stripes")
    rng = np.random.default_rng(0)
    for part, count in (("train", 8), ("test", 4)):
        for name in NAMES:
            (root / part / name).mkdir(parents=True)
            for index in range(count):
                wave = 127 + 100 * np.sin(np.arange(64) / (1 + rng.random()))
                grey = {"across": np.tile(wave, (64, 1)), "down": np.tile(wave, (64, 1)).T}.get(name)
                grey = rng.integers(0, 255, (64, 64)) if grey is None else grey + rng.normal(0, 8, (64, 64))
                Image.fromarray(grey.clip(0, 255).astype(np.uint8)).save(root / part / name / f"{index}.png")
    return root


@pytest.fixture(scope="session")
def judges(tmp_path_factory):
    """Cache in which the judge of digits is made once."""
    return tmp_path_factory.mktemp("judges")


@pytest.fixture
def two_threads():
    """torch has two threads, whatever the machine has."""
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def failing_reads(monkeypatch):
    """Lets reads of some files fail with an input/output error; takes a function of the path."""

    def fail(wanted):
        descriptor = reading._descriptor

        def failing(path, within):
            if wanted(Path(path)):
                raise OSError(errno.EIO, os.strerror(errno.EIO))
            return descriptor(path, within)

        monkeypatch.setattr(reading, "_descriptor", failing)

    return fail
