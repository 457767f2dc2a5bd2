"""The engine of a GPU with everything of CUDA replaced by what does the same on the CPU, at once."""

from contextlib import nullcontext
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from vitrail.backbones import BACKBONES, cuda_engine
from vitrail.backbones.cuda_engine import cuda_forward
from vitrail.backbones.forward_pass import PooledFeatures, torch_forward


class Captures:
    """Stands in for CUDA graphs: a launch runs the function again, into the tensors of the first time."""

    def __init__(self):
        self.launched = 0

    def __call__(self, run, stream):
        rows = tuple(each.clone() for each in run())

        def replay():
            self.launched += 1
            for held, new in zip(rows, run(), strict=True):
                held.copy_(new)

        return replay, rows


@pytest.fixture
def captures(monkeypatch):
    stream = SimpleNamespace(wait_stream=lambda other: None, synchronize=lambda: None)
    monkeypatch.setattr(torch.cuda, "Stream", lambda device: stream)
    monkeypatch.setattr(torch.cuda, "stream", lambda given: nullcontext())
    monkeypatch.setattr(torch.cuda, "device", lambda given: nullcontext())
    monkeypatch.setattr(torch.cuda, "current_stream", lambda: None)
    monkeypatch.setattr(torch.Tensor, "pin_memory", lambda tensor: tensor.clone())
    empty = torch.empty
    monkeypatch.setattr(torch, "empty", lambda *shape, pin_memory=False, **options: empty(*shape, **options))
    captures = Captures()
    monkeypatch.setattr(cuda_engine, "capture", captures)
    return captures


@pytest.fixture(scope="module")
def module():
    return PooledFeatures(BACKBONES["squeezenet"](), ("fire8", "fire9")).eval()


@pytest.fixture(scope="module")
def pixels():
    return np.random.default_rng(0).integers(0, 256, (10, 3, 227, 227), dtype=np.uint8)


@pytest.mark.parametrize("name", ["channels-last", "cuda-graph"])
@pytest.mark.parametrize("batches", [1, 2, 5])
def test_batches_come_back_in_their_order(name, batches, captures, module, pixels):
    forward = cuda_forward(name, module, pixels[-2:], device="cpu", precision="float32")
    expected = torch_forward(module, 2)(pixels[: 2 * batches])
    for _ in range(2):  # no batch of the call before is left anywhere
        for rows, plain in zip(forward(pixels[: 2 * batches]), expected, strict=True):
            np.testing.assert_allclose(rows, plain, atol=1e-4 * np.abs(plain).max())
    assert captures.launched == (2 * batches if name == "cuda-graph" else 0)


def test_what_was_given_stays_as_it_was_when_the_next_call_comes(captures, module, pixels):
    forward = cuda_forward("cuda-graph", module, pixels[:2], device="cpu", precision="float32")
    (first, _), held = forward(pixels[:2]), None
    held = first.copy()
    forward(pixels[2:4])
    np.testing.assert_array_equal(first, held)
