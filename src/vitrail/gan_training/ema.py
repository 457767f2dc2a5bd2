"""Exponential moving average (EMA) of weights, and recalibration of batch normalisation for the averaged weights.

Source: Yazıcı et al., 2019, https://arxiv.org/abs/1806.04498.
"""

import copy
from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn


class Ema:
    """A copy of a network with the exponential moving average of its weights.

    Statistics of batch normalisation are copied, not averaged, and do not fit the averaged weights; see
    `recalibrate_batch_norm`.

    Attributes:
        network: the copy, frozen, in evaluation mode.
        decay: weight of the old average in an update, once many updates are done.
        steps: number of updates.
    """

    def __init__(self, network: nn.Module, decay: float) -> None:
        self.network = copy.deepcopy(network).eval().requires_grad_(False)
        self.decay, self.steps = decay, 0

    def next_weight(self) -> float:
        """The weight of the network in the next update, which is counted.

        It falls with the updates, to forget the initial weights.
        """
        self.steps += 1
        return 1 - min(self.decay, (1 + self.steps) / (10 + self.steps))

    @torch.no_grad()
    def update(self, network: nn.Module, weight: float | Tensor | None = None) -> None:
        """Averages in the weights of `network`.

        Args:
            weight: of the network, a number or a tensor (); None: `next_weight`.
        """
        weight = self.next_weight() if weight is None else weight
        averages, weights = dict(self.network.named_parameters()), dict(network.named_parameters())
        many: Any = [weight] * len(averages) if isinstance(weight, Tensor) else weight
        torch._foreach_lerp_(list(averages.values()), [weights[name].detach() for name in averages], many)
        buffers = dict(network.named_buffers())
        for name, buffer in self.network.named_buffers():
            buffer.copy_(buffers[name])


def has_batch_norm(network: nn.Module) -> bool:
    """Whether the network has batch normalisation."""
    return bool(_batch_norms(network))


def _batch_norms(network: nn.Module) -> list[nn.BatchNorm1d | nn.BatchNorm2d]:
    return [part for part in network.modules() if isinstance(part, nn.BatchNorm1d | nn.BatchNorm2d)]


@torch.no_grad()
def recalibrate_batch_norm(network: nn.Module, batches: Iterable[tuple[Tensor, ...]]) -> None:
    """Sets the running statistics of batch normalisation to the mean statistics over `batches`; changes nothing else.

    Without it an average of weights is sampled with the statistics of other weights, and a network in training with
    those of its last few steps. Either can halve a conditional generator's label agreement.
    """
    norms = _batch_norms(network)
    if not norms:
        return
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # a plain mean over the batches
        norm.train()
    for batch in batches:
        network(*batch)
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
        norm.eval()
