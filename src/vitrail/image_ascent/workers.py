"""Threads that compute side by side on a processor, each with its share of torch's threads.

The threads within an operation wait for each other at its end, and the operations of a small batch are short: with one
image at a time, SqueezeNet and EfficientNet-Lite0 keep 1.3 of two cores busy. Workers never wait for each other. They
are threads, as torch lets others run during an operation; processes would each start for three seconds and hold half a
GB.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from copy import deepcopy
from itertools import chain

import torch

from vitrail.backbones.backbone import Backbone
from vitrail.devices import full_float32
from vitrail.image_ascent.batching import bytes_per_image
from vitrail.tensors import Images


def worker_count(backbone: Backbone, images: Images, most: int, *, memory: int) -> int:
    """How many workers to start: one on a GPU; on a CPU at most `most`, and one for each of torch's threads.

    Args:
        images: of the size that a worker computes with, one at least.
        memory: bytes that all workers share; there is room for a batch of one image in each share.
    """
    count = min(most, torch.get_num_threads())
    if images.device.type != "cpu" or count <= 1:
        return 1
    return max(1, min(count, memory // bytes_per_image(backbone, images)))


@contextmanager
def worker_threads(count: int) -> Iterator[ThreadPoolExecutor]:
    """`count` threads, among which torch's threads are divided; work that has not begun at the end is cancelled.

    A single thread computes as the caller would. Beside several, the caller computes with as few threads as each of
    them, until the end: threads that wait for its operations would take the cores from the workers.
    """
    before = torch.get_num_threads()
    share = max(1, before // count)
    pool = ThreadPoolExecutor(count, initializer=torch.set_num_threads, initargs=(share,))
    try:
        torch.set_num_threads(share)
        # Every pass sets it and sets it back: among threads, that is only safe where nothing changes.
        with full_float32() if count > 1 else nullcontext():
            try:
                yield pool
            finally:
                pool.shutdown(cancel_futures=True)
    finally:
        torch.set_num_threads(before)


def shared_copy(backbone: Backbone) -> Backbone:
    """A copy for another thread, with the same weights in memory, as hooks belong to a copy of the modules."""
    weights = {id(tensor): tensor for tensor in chain(backbone.parameters(), backbone.buffers())}
    return deepcopy(backbone, weights)
