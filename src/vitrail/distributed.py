"""Several processes, one game: each plays its share of every batch, and all move by the mean slope.

With `torch.distributed` set up (gloo for tensors on the processor) and equal shares, so many ranks play the game of one
process on the joined batch but for rounding: scores are joined before a loss is taken of them, labels before they are
mixed, statistics of batch normalisation before they are used (`joined_norm`). Only dropout is a rank's own: it draws
from its `torch.manual_seed`, which should differ. Not DistributedDataParallel: its hooks expect one forward pass a
backward pass, no frozen weights and no second derivatives, and a step of this game has two passes of D, freezes it, and
may punish slopes.

Raises:
    LostProcess: (whatever waits for the others) one of them has ended.
"""

import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn

from vitrail.errors import LostProcess, one_line

_ALONE = ContextVar("alone", default=False)


def rank_and_world_size() -> tuple[int, int]:
    """The rank of this process, and how many ranks play together; (0, 1) for one alone."""
    if _ALONE.get() or not (dist.is_available() and dist.is_initialized()):
        return 0, 1
    return dist.get_rank(), dist.get_world_size()


@contextmanager
def is_single() -> Iterator[None]:
    """Inside, nothing is sent to or waited for from other ranks: for games that are played only to be timed."""
    token = _ALONE.set(True)
    try:
        yield
    finally:
        _ALONE.reset(token)


def local_slice(count: int) -> tuple[int, slice]:
    """How many images the joined batch has if this rank has `count`, and which of them those are (as `Order` deals).

    Every rank draws for the joined batch and takes its share, so that all draw alike and yet no two images do.
    """
    rank, ranks = rank_and_world_size()
    return count * ranks, slice(rank, None, ranks)


@torch.no_grad()
def broadcast_parameters(*networks: nn.Module) -> None:
    """Gives every rank the weights and buffers that rank 0 has."""
    if rank_and_world_size()[1] == 1:
        return
    for network in networks:
        for tensor in (*network.parameters(), *network.buffers()):
            whole = tensor.contiguous()  # channels-last ones are not sent
            with _others():
                dist.broadcast(whole, src=0)
            tensor.copy_(whole)


def all_reduce_gradients(weights: Iterable[Tensor]) -> None:
    """After a backward pass: every rank's slopes become the mean of all ranks', in one exchange."""
    ranks = rank_and_world_size()[1]
    if ranks == 1:
        return
    slopes = [weight.grad for weight in weights if weight.grad is not None]
    gather_batch = torch.cat([input_gradient.flatten() for input_gradient in slopes])
    with _others():
        dist.all_reduce(gather_batch)
    parts = torch.split(gather_batch.div_(ranks), [input_gradient.numel() for input_gradient in slopes])
    for input_gradient, part in zip(slopes, parts, strict=True):
        input_gradient.copy_(part.view_as(input_gradient))


def all_gather(value: Tensor) -> Tensor:
    """(ranks, ...): what each rank gives, all of one shape; the slope at it is summed over the ranks' losses."""
    rank, ranks = rank_and_world_size()
    if ranks == 1:
        return value[None]
    nothing = torch.zeros_like(value)
    given: Tensor = _Total.apply(torch.stack([value if each == rank else nothing for each in range(ranks)]))
    return given


def gather_batch(part: Tensor) -> Tensor:
    """(B, ...): the batch that this rank's share (B / ranks, ...) is of, in the order that one process has it in.

    A loss of it is every rank's, so that each has the slope of all their losses at its own share: the mean over ranks
    (`average_slopes`) is the slope of the one loss.
    """
    return all_gather(part).transpose(0, 1).flatten(0, 1)


def any_rank(flag: bool) -> bool:
    """Whether any rank says so; on every rank."""
    if rank_and_world_size()[1] == 1:
        return flag
    said = torch.tensor(int(flag))
    with _others():
        dist.all_reduce(said, dist.ReduceOp.MAX)
    return bool(said)


def barrier() -> None:
    """Nobody goes on before everybody is here."""
    any_rank(False)


def broadcast_from_rank0(value: Any) -> Any:
    """What rank 0 gives, on every rank: for what each might decide otherwise.

    Args:
        value: a JSON value; of ranks other than 0, anything.
    """
    rank, ranks = rank_and_world_size()
    if ranks == 1:
        return value
    text = json.dumps(value).encode() if rank == 0 else b""
    length = torch.tensor(len(text))
    with _others():
        dist.broadcast(length, src=0)
        data = torch.tensor(list(text) if rank == 0 else [0] * int(length), dtype=torch.uint8)
        dist.broadcast(data, src=0)
    return json.loads(bytes(data.tolist()))


class _Total(torch.autograd.Function):
    """The sum over ranks; its slope is the sum of theirs, and so on."""

    @staticmethod
    def forward(_: Any, value: Tensor) -> Tensor:
        total = value.clone(memory_format=torch.contiguous_format)
        with _others():
            dist.all_reduce(total)
        return total

    @staticmethod
    def backward(_: Any, input_gradient: Tensor) -> Any:
        return _Total.apply(input_gradient)


@contextmanager
def _others() -> Iterator[None]:
    """Inside, this process waits for the others."""
    try:
        yield
    except RuntimeError as error:
        reason = one_line(error)
        raise LostProcess(
            f"Another process of this run can no longer be reached ({reason}); start all of them again, from the "
            "last checkpoint."
        ) from None
