"""How many images go through a network at once, so that memory stays below a stated budget."""

from collections.abc import Callable

import torch
from torch import Tensor

from vitrail.backbones.backbone import Backbone
from vitrail.tensors import Images

MIB = 2**20
"""Bytes of a mebibyte, the unit in which settings give memory."""

MEMORY = 512 * MIB
"""Bytes that the activations of one chunk may take: half a gibibyte."""

MIN_BATCH = 4  # on a processor: larger batches fall out of its caches, and take up to twice as long an image


def max_batch_size(backbone: Backbone, images: Images, *, memory: int = MEMORY) -> int:
    """How many images of this size go through forward and backward in `memory` bytes; at least one, on a CPU a few.

    Measured, not guessed: the tensors that a backward pass would need are counted for one image.
    """
    seen: dict[int, int] = {}

    def count(tensor: Tensor) -> torch.UntypedStorage:
        storage = tensor.untyped_storage()
        if not isinstance(tensor, torch.nn.Parameter):
            seen[storage.data_ptr()] = storage.nbytes()
        return storage  # so that no address counts twice; a graph that held its own outputs would never be freed

    with torch.enable_grad(), torch.autograd.graph.saved_tensors_hooks(count, lambda storage: storage):
        backbone(images[:1].detach().requires_grad_())
    each = 2 * (sum(seen.values()) + images[0].nbytes)  # and as much again for what is only passing through
    return max(1, memory // each if images.device.type != "cpu" else min(memory // each, MIN_BATCH))


def in_chunks(count: int, size: int, work: Callable[[slice], None]) -> None:
    """Calls `work` with slices of at most `size` out of `count`; where a device runs out of memory, with halves."""
    start = 0
    while start < count:
        chunk = slice(start, min(start + size, count))
        try:
            work(chunk)
        except RuntimeError as error:
            if not _out_of_memory(error) or chunk.stop - chunk.start == 1:
                raise
            size = (chunk.stop - chunk.start) // 2
            continue
        start = chunk.stop


def _out_of_memory(error: RuntimeError) -> bool:
    return isinstance(error, torch.OutOfMemoryError) or "can't allocate memory" in str(error)
