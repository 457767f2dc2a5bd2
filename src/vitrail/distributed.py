"""Data-parallel training: rank and world size, and the collective operations that a training step needs.

`torch.distributed` is used with gloo for tensors on the CPU. With equal parts of each batch, several ranks compute what
one process computes on the whole batch, up to rounding: scores are gathered before the loss, labels before they are
shuffled, and batch normalisation is synchronised (`gan_training.sync_batch_norm`). Only dropout differs: each rank
draws from its own `torch.manual_seed`. DistributedDataParallel does not fit: its hooks expect one forward pass per
backward pass, no frozen weights and no second derivatives, while a GAN step has two passes of D, freezes it, and may
have a gradient penalty.

Raises:
    LostProcess: (every collective operation) another process has ended.
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

_SINGLE = ContextVar("single", default=False)


def rank_and_world_size() -> tuple[int, int]:
    """Rank of this process and number of ranks; (0, 1) without a process group."""
    if _SINGLE.get() or not (dist.is_available() and dist.is_initialized()):
        return 0, 1
    return dist.get_rank(), dist.get_world_size()


@contextmanager
def single_process() -> Iterator[None]:
    """Inside, this process acts as if it were the only one: no collective operation communicates."""
    token = _SINGLE.set(True)
    try:
        yield
    finally:
        _SINGLE.reset(token)


def local_slice(count: int) -> tuple[int, slice]:
    """Size of the global batch if this rank has `count` images, and the rows of it that are this rank's.

    Every rank draws random numbers for the global batch and takes its own rows, so that all ranks draw alike and no two
    images get the same numbers.
    """
    rank, ranks = rank_and_world_size()
    return count * ranks, slice(rank, None, ranks)


@torch.no_grad()
def broadcast_parameters(*networks: nn.Module) -> None:
    """Copies weights and buffers of rank 0 to every rank."""
    if rank_and_world_size()[1] == 1:
        return
    for network in networks:
        for tensor in (*network.parameters(), *network.buffers()):
            contiguous = tensor.contiguous()  # channels-last tensors cannot be sent
            with _communication():
                dist.broadcast(contiguous, src=0)
            tensor.copy_(contiguous)


def all_reduce_gradients(weights: Iterable[Tensor]) -> None:
    """Averages the gradients of all ranks after a backward pass, in one all-reduce."""
    ranks = rank_and_world_size()[1]
    if ranks == 1:
        return
    gradients = [weight.grad for weight in weights if weight.grad is not None]
    flat = torch.cat([gradient.flatten() for gradient in gradients])
    with _communication():
        dist.all_reduce(flat)
    parts = torch.split(flat.div_(ranks), [gradient.numel() for gradient in gradients])
    for gradient, part in zip(gradients, parts, strict=True):
        gradient.copy_(part.view_as(gradient))


def all_gather(value: Tensor) -> Tensor:
    """(ranks, ...): the values of all ranks, of one shape; differentiable, the gradient is summed over the ranks."""
    rank, ranks = rank_and_world_size()
    if ranks == 1:
        return value[None]
    zeros = torch.zeros_like(value)
    gathered: Tensor = _AllReduce.apply(torch.stack([value if each == rank else zeros for each in range(ranks)]))
    return gathered


def gather_batch(part: Tensor) -> Tensor:
    """(B, ...): the global batch, from this rank's part (B / ranks, ...), in the order of a single process.

    Every rank computes the loss of the global batch, and its part gets the gradient of the sum of all ranks' losses.
    The mean over ranks (`all_reduce_gradients`) is then the gradient of the loss.
    """
    return all_gather(part).transpose(0, 1).flatten(0, 1)


def any_rank(flag: bool) -> bool:
    """Whether `flag` is set on any rank; the same answer on every rank."""
    if rank_and_world_size()[1] == 1:
        return flag
    largest = torch.tensor(int(flag))
    with _communication():
        dist.all_reduce(largest, dist.ReduceOp.MAX)
    return bool(largest)


def barrier() -> None:
    """Waits until every rank has called it."""
    any_rank(False)


def broadcast_from_rank0(value: Any) -> Any:
    """The value of rank 0, on every rank.

    Args:
        value: a JSON value; ignored on ranks other than 0.
    """
    rank, ranks = rank_and_world_size()
    if ranks == 1:
        return value
    text = json.dumps(value).encode() if rank == 0 else b""
    length = torch.tensor(len(text))
    with _communication():
        dist.broadcast(length, src=0)
        data = torch.tensor(list(text) if rank == 0 else [0] * int(length), dtype=torch.uint8)
        dist.broadcast(data, src=0)
    return json.loads(bytes(data.tolist()))


class _AllReduce(torch.autograd.Function):
    """Sum over ranks, differentiable any number of times: its gradient is the sum of the ranks' gradients."""

    @staticmethod
    def forward(_: Any, value: Tensor) -> Tensor:
        total = value.clone(memory_format=torch.contiguous_format)
        with _communication():
            dist.all_reduce(total)
        return total

    @staticmethod
    def backward(_: Any, gradient: Tensor) -> Any:
        return _AllReduce.apply(gradient)


@contextmanager
def _communication() -> Iterator[None]:
    """Inside, this process communicates with the other ranks; a lost connection raises `LostProcess`."""
    try:
        yield
    except RuntimeError as error:
        reason = one_line(error)
        raise LostProcess(
            f"Another process of this run can no longer be reached ({reason}). Use --resume with all processes, from "
            "the last checkpoint."
        ) from None
