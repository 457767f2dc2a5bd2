"""Several processes, one game: each plays its share of every batch, and all move by the mean slope.

With `torch.distributed` set up and equal shares, so many ranks play the game of one process on the joined batch, but
for what a rank keeps to itself: statistics of batch normalisation are those of its own share, dropout draws from its
own `torch.manual_seed` (which should differ), mismatched labels are mixed within the share, and figures are those of
the share. Not DistributedDataParallel: its hooks expect one forward pass a backward pass, no frozen weights and no
second derivatives, and a step of this game has two passes of D, freezes it, and may punish slopes.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TypeVar

import torch
import torch.distributed as dist
from torch import Tensor, nn

T = TypeVar("T")

_ALONE = ContextVar("alone", default=False)


def place() -> tuple[int, int]:
    """The rank of this process, and how many ranks play together; (0, 1) for one alone."""
    if _ALONE.get() or not (dist.is_available() and dist.is_initialized()):
        return 0, 1
    return dist.get_rank(), dist.get_world_size()


@contextmanager
def alone() -> Iterator[None]:
    """Inside, nothing is sent to or waited for from other ranks: for games that are played only to be timed."""
    token = _ALONE.set(True)
    try:
        yield
    finally:
        _ALONE.reset(token)


def share(count: int) -> tuple[int, slice]:
    """How many images the joined batch has if this rank has `count`, and which of them those are (as `Order` deals).

    Every rank draws for the joined batch and takes its share, so that all draw alike and yet no two images do.
    """
    rank, ranks = place()
    return count * ranks, slice(rank, None, ranks)


@torch.no_grad()
def start_alike(*networks: nn.Module) -> None:
    """Gives every rank the weights and buffers that rank 0 has."""
    if place()[1] == 1:
        return
    for network in networks:
        for tensor in (*network.parameters(), *network.buffers()):
            whole = tensor.contiguous()  # channels-last ones are not sent
            dist.broadcast(whole, src=0)
            tensor.copy_(whole)


def average_slopes(weights: Iterable[Tensor]) -> None:
    """After a backward pass: every rank's slopes become the mean of all ranks', in one exchange."""
    ranks = place()[1]
    if ranks == 1:
        return
    slopes = [weight.grad for weight in weights if weight.grad is not None]
    joined = torch.cat([slope.flatten() for slope in slopes])
    dist.all_reduce(joined)
    parts = torch.split(joined.div_(ranks), [slope.numel() for slope in slopes])
    for slope, part in zip(slopes, parts, strict=True):
        slope.copy_(part.view_as(slope))


def as_first(value: T) -> T:
    """What rank 0 gives, on every rank: for what each might decide otherwise."""
    if place()[1] == 1:
        return value
    given = [value]
    dist.broadcast_object_list(given, src=0)
    return given[0]
