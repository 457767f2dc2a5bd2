"""Batch sizes that keep the memory of a forward and a backward pass below a limit."""

from collections.abc import Callable

import torch
from torch import Tensor

from vitrail.backbones.backbone import Backbone
from vitrail.devices import full_float32, is_out_of_memory
from vitrail.tensors import Images
from vitrail.validation import check_count

MIB = 2**20
"""Bytes of a mebibyte, the unit in which settings give memory."""

MEMORY = 512 * MIB
"""Default limit in bytes on the activations of one batch."""

CPU_BATCH = 4  # largest batch on a CPU: larger ones fall out of its caches, and take up to twice as long an image


def max_batch_size(backbone: Backbone, images: Images, *, memory: int = MEMORY) -> int:
    """The largest batch of images of this size that a forward and a backward pass fit into `memory` bytes; at least 1.

    On a CPU at most `CPU_BATCH`.

    Raises:
        BadSetting: `memory` is no number of bytes.
    """
    check_count("memory", memory)
    size = memory // bytes_per_image(backbone, images)
    return max(1, size if images.device.type != "cpu" else min(size, CPU_BATCH))


def bytes_per_image(backbone: Backbone, images: Images) -> int:
    """What a forward and a backward pass of one image of this size hold, in bytes.

    Measured on the first image: the tensors that its backward pass needs are counted.
    """
    sizes: dict[int, int] = {}

    def count(tensor: Tensor) -> torch.UntypedStorage:
        storage = tensor.untyped_storage()
        if not isinstance(tensor, torch.nn.Parameter):
            sizes[storage.data_ptr()] = storage.nbytes()
        return storage  # so that no address counts twice; a graph that held its own outputs would never be freed

    with torch.enable_grad(), torch.autograd.graph.saved_tensors_hooks(count, lambda storage: storage):
        backbone(images[:1].detach().requires_grad_())
    return 2 * (sum(sizes.values()) + images[0].nbytes)  # twice: temporary tensors take as much again


def in_chunks(count: int, size: int, work: Callable[[slice], None]) -> None:
    """Calls `work` with slices of at most `size` out of `count`; on an out-of-memory error the size is halved.

    Within, float32 is float32 on every device, so that a result does not depend on the slice that it was part of.
    """
    start = 0
    while start < count:
        chunk = slice(start, min(start + size, count))
        try:
            with full_float32():
                work(chunk)
        except RuntimeError as error:
            if not is_out_of_memory(error) or chunk.stop - chunk.start == 1:
                raise
            size = (chunk.stop - chunk.start) // 2
            continue
        start = chunk.stop
