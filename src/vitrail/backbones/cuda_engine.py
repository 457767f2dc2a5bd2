"""Forward passes on an NVIDIA GPU: as CUDA graphs and compiled, in float32 or bfloat16, copies beside the computing."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from vitrail.backbones.forward_pass import Forward, joined, optimised_copy
from vitrail.devices import full_float32

BUFFERS = 2  # one is filled while the other is computed on
WARM_UP = 3  # passes before a capture, in which cuDNN and cuBLAS choose their kernels

Rows = tuple[Tensor, ...]


def cuda_forward(name: str, module: nn.Module, example: np.ndarray, *, device: str, precision: str) -> Forward:
    """The forward pass of `module` on a GPU, for batches of the shape of `example`.

    Args:
        name: "channels-last", "cuda-graph" (the same, launched at once) or "compiled" (by `torch.compile`, in minutes).
        precision: "float32", or "bfloat16" under autocast.
    """
    fast = optimised_copy(module).to(device)
    run: Callable[[Tensor], Rows] = torch.compile(fast, dynamic=False) if name == "compiled" else fast

    def computed(pixels: Tensor) -> Rows:
        with torch.inference_mode(), full_float32(), _autocast(precision):
            return tuple(rows.float() for rows in run(pixels))

    with torch.cuda.device(device):
        slots = [_Slot(computed, example, device, graph=name == "cuda-graph") for _ in range(BUFFERS)]

    def forward(pixels: np.ndarray) -> list[np.ndarray]:
        size, batches = len(example), []
        with torch.cuda.device(device):
            for number, start in enumerate(range(0, len(pixels), size)):
                slot = slots[number % BUFFERS]
                if number >= BUFFERS:
                    batches.append(slot.finish())
                slot.start(pixels[start : start + size])
            total = -(-len(pixels) // size)
            batches += [slots[number % BUFFERS].finish() for number in range(len(batches), total)]
        return joined(batches)

    return forward


def _autocast(precision: str) -> AbstractContextManager[Any]:
    # Without its cache of cast weights, which a captured graph would not fill again.
    return torch.autocast("cuda", torch.bfloat16, cache_enabled=False) if precision == "bfloat16" else nullcontext()


def capture(run: Callable[[], Rows], stream: Any) -> tuple[Callable[[], None], Rows]:
    """A function as a CUDA graph: what launches it again, and the tensors that each launch fills anew."""
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph, stream=stream):
        rows = run()
    return graph.replay, rows


class _Slot:
    """One batch on its way: page-locked memory, a place on the GPU, and a stream of its own for both copies."""

    def __init__(self, compute: Callable[[Tensor], Rows], example: np.ndarray, device: str, *, graph: bool) -> None:
        self._compute = compute
        self._replay: Callable[[], None] | None = None
        self._sent = torch.from_numpy(example).pin_memory()
        self._stream: Any = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
        self._stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(self._stream):
            self._pixels = self._sent.to(device).contiguous(memory_format=torch.channels_last)
            for _ in range(WARM_UP):
                self._rows = compute(self._pixels)
        self._stream.synchronize()
        if graph:
            self._replay, self._rows = capture(lambda: compute(self._pixels), self._stream)
        self._received = [torch.empty(rows.shape, dtype=rows.dtype, pin_memory=True) for rows in self._rows]

    def start(self, pixels: np.ndarray) -> None:
        """Begins the pass of a batch; returns before it ends."""
        self._sent.copy_(torch.from_numpy(pixels))
        with torch.cuda.stream(self._stream):
            self._pixels.copy_(self._sent, non_blocking=True)
            if self._replay is None:
                self._rows = self._compute(self._pixels)
            else:
                self._replay()
            for received, rows in zip(self._received, self._rows, strict=True):
                received.copy_(rows, non_blocking=True)

    def finish(self) -> list[np.ndarray]:
        """Waits for the batch, and gives its rows."""
        self._stream.synchronize()
        return [received.numpy().copy() for received in self._received]
