"""Weights files that would do something: they are refused, and do nothing."""

import hashlib
import pickle

import numpy as np
import pytest
import torch

from vitrail.backbones import BACKBONES, weights
from vitrail.backbones.packaged import efficientnet_lite0, squeezenet
from vitrail.backbones.weights import read_state
from vitrail.errors import BadWeights


class Trap:
    """Pickled, it makes a file when it is opened."""

    def __init__(self, place):
        self.place = place

    def __reduce__(self):
        return open, (str(self.place), "w")


def test_a_pickle_that_was_not_reviewed_is_not_opened(tmp_path):
    path = tmp_path / "a.pkl"
    path.write_bytes(pickle.dumps(Trap(tmp_path / "sprung")))
    with pytest.raises(BadWeights, match="is a pickle"):
        read_state(path)
    assert not (tmp_path / "sprung").exists()


def test_what_a_pickle_may_ask_for(tmp_path, monkeypatch):
    path = tmp_path / "a.pkl"
    for content in (Trap(tmp_path / "sprung"), {"conv1": (Trap(tmp_path / "sprung"), np.ones(2))}):
        path.write_bytes(pickle.dumps(content, protocol=2))
        monkeypatch.setattr(weights, "REVIEWED_PICKLE", hashlib.sha256(path.read_bytes()).hexdigest())
        with pytest.raises(BadWeights, match=r"The pickle asks for \w+\.open, which a file of weights has no use for"):
            read_state(path)
    assert not (tmp_path / "sprung").exists()


@pytest.mark.parametrize("suffix", [".pth", ".pt", ".bin", ".safetensors"])
def test_a_torch_file_that_would_run_something_is_refused(suffix, tmp_path):
    path = tmp_path / f"a{suffix}"
    torch.save({"weight": torch.ones(2), "trap": Trap(tmp_path / "sprung")}, path)
    with pytest.raises(BadWeights, match=r"is damaged"):
        read_state(path)
    assert not (tmp_path / "sprung").exists()


@pytest.mark.parametrize("change", ["the first is missing", "the last is missing", "one more", "another shape", "flat"])
@pytest.mark.parametrize("spec", [squeezenet, efficientnet_lite0], ids=lambda spec: spec.name)
def test_weights_that_do_not_fit_are_one_sentence(spec, change, tmp_path):
    state = dict(read_state(spec.source.find()))
    first, last = list(state)[0], list(state)[-1]
    if "missing" in change:
        del state[first if "first" in change else last]
    elif change == "flat":
        state = {key: tensor.flatten() for key, tensor in state.items()}
    else:
        state["more" if change == "one more" else last] = torch.ones(3)
    torch.save(state, tmp_path / "changed.pth")
    with pytest.raises(BadWeights, match=f"does not fit '{spec.name}'"):
        BACKBONES[spec.name](tmp_path / "changed.pth")
