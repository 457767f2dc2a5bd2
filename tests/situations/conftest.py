"""A working directory, a cache, and the two commands that most situations are about."""

import pytest
import torch
from drawings import one_pixel
from small_runs import QUICK, gan_options, succeeded

from vitrail.plots import style


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    """Networks as small as these are done before a second thread has begun."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def without_figures(monkeypatch):
    """To draw a figure takes longer than a training here: one pixel in place of it, where no figure is the point."""
    monkeypatch.setattr(style, "png", lambda figure: one_pixel())


@pytest.fixture(scope="session")
def stored(tmp_path_factory):
    """Cache of all these tests: their images are always the same."""
    return tmp_path_factory.mktemp("stored")


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """The working directory."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def transfer(stored):
    """`vitrail transfer DATA` with a tiny network, into the folder `run` of the working directory."""
    return lambda data, *options, to="run": succeeded(to, "transfer", data, *QUICK, "--cache", stored, *options)


@pytest.fixture
def gan_train(stored):
    """`vitrail gan train DATA`, an epoch of a tiny network, into the folder `gan` of the working directory."""

    def train(data, *options, to="gan", **changed):
        return succeeded(to, "gan", "train", data, *gan_options(**changed), "--cache", stored, *options)

    return train
