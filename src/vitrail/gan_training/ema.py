"""The generator's moving average, and statistics of batch normalisation that belong to the weights they stand beside.

Source: Yazıcı et al., 2019, https://arxiv.org/abs/1806.04498.
"""

import copy
from collections.abc import Iterable

import torch
from torch import Tensor, nn


class Ema:
    """A second copy of a network whose weights follow it slowly.

    Statistics of batch normalisation are copied, not averaged: they are those of other weights; see `settle`.

    Attributes:
        network: the copy, frozen, in evaluation mode.
        decay: share of the old weights that stays at each step, once many steps are done.
        steps: how many times it followed.
    """

    def __init__(self, network: nn.Module, decay: float) -> None:
        self.network = copy.deepcopy(network).eval().requires_grad_(False)
        self.decay, self.steps = decay, 0

    @torch.no_grad()
    def follow(self, network: nn.Module) -> None:
        """Moves towards the weights of `network`; quicker while few steps are done, so that its start is forgotten."""
        self.steps += 1
        keep = min(self.decay, (1 + self.steps) / (10 + self.steps))
        mine, theirs = dict(self.network.named_parameters()), dict(network.named_parameters())
        torch._foreach_lerp_(list(mine.values()), [theirs[name].detach() for name in mine], 1 - keep)
        buffers = dict(network.named_buffers())
        for name, buffer in self.network.named_buffers():
            buffer.copy_(buffers[name])


def has_batch_norm(network: nn.Module) -> bool:
    """Whether what the network makes of an image depends, in training, on the images beside it."""
    return bool(_batch_norms(network))


def _batch_norms(network: nn.Module) -> list[nn.BatchNorm1d | nn.BatchNorm2d]:
    return [part for part in network.modules() if isinstance(part, nn.BatchNorm1d | nn.BatchNorm2d)]


@torch.no_grad()
def recalibrate_batch_norm(network: nn.Module, batches: Iterable[tuple[Tensor, ...]]) -> None:
    """Gives a network's batch normalisations the mean statistics of what they see in `batches`; else changes nothing.

    Without it a moving average is sampled with statistics of weights it does not have, and a network in training with
    those of its last few steps; either can cost half of a conditional generator's label agreement.
    """
    norms = _batch_norms(network)
    if not norms:
        return
    before = [norm.momentum for norm in norms]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # every batch counts alike
        norm.train()
    for batch in batches:
        network(*batch)
    for norm, momentum in zip(norms, before, strict=True):
        norm.momentum = momentum
        norm.eval()
