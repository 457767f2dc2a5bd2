import pytest
from command import run
from PIL import Image

from vitrail.datasets.sample_images import sample_images


@pytest.fixture(scope="session")
def classifier(stripes, tmp_path_factory):
    """Run folder of a classifier of stripes, made by `vitrail transfer`."""
    home = tmp_path_factory.mktemp("classifier")
    options = ("--backbone", "tiny", "--layer", "features", "--run", home / "run", "--cache", home / "cache")
    done = run("transfer", stripes, *options)
    assert done.exit_code == 0, done.output
    return home / "run"


@pytest.fixture(scope="session")
def cat(tmp_path_factory):
    """The free photograph of a cat, at its own shape but small enough to be worked on quickly."""
    path = tmp_path_factory.mktemp("cat") / "cat.png"
    with Image.open(sample_images()[0]) as image:
        image.resize((360, 240)).save(path)
    return path
