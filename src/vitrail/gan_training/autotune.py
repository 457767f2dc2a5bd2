"""Which of the quicker ways of playing is the quicker one here: real steps of each, timed in turn on copies.

Which it is depends on the layers, the batch, the processor and torch's version: a network of convolutions gains by
channels-last, one of wide layers by a fused optimiser and by joined batches, and either may lose by the other.
"""

import copy
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import repeat
from typing import Protocol, runtime_checkable

import torch
from torch import nn

from vitrail.distributed import broadcast_from_rank0, is_single
from vitrail.gan_training.ema import has_batch_norm
from vitrail.gan_training.state import GanState, TrainingOptions
from vitrail.gan_training.steps import GanStep, train_steps
from vitrail.tensors import Condition, SignedImages

REFERENCE = "plain"
MARGIN = 1.03  # by how much another way must be quicker than the plain one to be taken
ROUNDS = (3, 9)  # at least, on so many images as the time is enough for, and at most
FEW = 8  # images, which are always timed

Batch = tuple[SignedImages, Condition]
Clock = Callable[[], float]


@runtime_checkable
class Networks(Protocol):
    """A pair, or a game."""

    @property
    def generator(self) -> nn.Module:
        """Who makes images."""

    @property
    def discriminator(self) -> nn.Module:
        """Who scores them."""


@dataclass(frozen=True)
class Choice:
    """A way of playing, chosen by a probe.

    Attributes:
        way: "plain", or in which respects not: "channels-last", "joined", "fused", or two of them.
        rules: as given, but for those. To be kept with the game: another probe may choose otherwise, and another way
            rounds otherwise.
        ratios: how many times as quick as the plain way each other one was; for `result.json`.
    """

    way: str
    options: TrainingOptions
    ratios: dict[str, float]


def autotune(
    players: Networks, options: TrainingOptions, batch: Batch, *, seconds: float = 2.0, clock: Clock | None = None
) -> Choice:
    """The quickest way to play by `rules`, by steps on `batch`, or on its first images where it would take too long.

    Neither players nor random numbers are touched; memory is that of up to four games. Of several ranks all must ask,
    and all are given what rank 0 measured.

    Args:
        batch: as `play` takes them.
        seconds: what the probe may take, about.
        clock: gives the time in seconds, for everything; None: `seconds` are those on the wall, and steps on a
            processor are compared by the time that this process had of it, so that other work counts for little.
    """
    device, ways = batch[0].device, _ways(players, options)
    with is_single(), torch.random.fork_rng([device] if device.type == "cuda" else []):
        games = {way: GanState(*_copies(players), each) for way, each in ways.items()}
        least = _least_seconds(games, batch, seconds, clock)
    ratios = {way: least[REFERENCE] / least[way] for way in ways if way != REFERENCE}
    best = max(ratios, key=lambda way: ratios[way])
    way = best if ratios[best] >= MARGIN else REFERENCE
    way, ratios = broadcast_from_rank0([way, ratios])
    return Choice(way, ways[way], ratios)


def _ways(players: Networks, options: TrainingOptions) -> dict[str, TrainingOptions]:
    """The plain way first, then those that may pay for such players; convolutions gain nothing by joined batches."""
    parts = (*players.generator.modules(), *players.discriminator.modules())
    if any(isinstance(part, nn.Conv2d | nn.ConvTranspose2d) for part in parts):
        names = [REFERENCE, "channels-last", "fused", "channels-last and fused"]
    elif not has_batch_norm(players.discriminator):
        names = [REFERENCE, "joined", "fused", "joined and fused"]
    else:
        names = [REFERENCE, "fused"]
    return {
        name: replace(options, channels_last="channels-last" in name, joined="joined" in name, fused="fused" in name)
        for name in names
    }


def _copies(players: Networks) -> tuple[nn.Module, nn.Module]:
    return copy.deepcopy(players.generator), copy.deepcopy(players.discriminator)


def _least_seconds(games: dict[str, GanState], batch: Batch, seconds: float, clock: Clock | None) -> dict[str, float]:
    """Of each way's steps, the one that other work on the machine slowed least."""
    (images, labels), wall = batch, time.perf_counter if clock is None else clock
    own = time.process_time if clock is None and images.device.type == "cpu" else wall
    start = wall()
    rows = _affordable(games[REFERENCE], batch, seconds / (len(games) * ROUNDS[0]), wall)
    steps = {way: train_steps(state, repeat((images[:rows], labels[:rows]))) for way, state in games.items()}
    for each in steps.values():
        _seconds(each, images.device, own)  # memory is found, kernels are chosen
    taken: dict[str, list[float]] = {way: [] for way in games}
    order = list(games)
    for number in range(ROUNDS[1]):
        if number >= ROUNDS[0] and wall() - start > seconds:
            break
        for way in order:
            taken[way].append(_seconds(steps[way], images.device, own))
        order.reverse()  # whoever comes first in one round comes last in the next
    return {way: min(each) for way, each in taken.items()}


def _affordable(state: GanState, batch: Batch, seconds: float, clock: Clock) -> int:
    """How many images a step may have to take so many seconds: all, if that is not too many."""
    (images, labels), rows = batch, FEW
    _seconds(train_steps(state, repeat((images[:rows], labels[:rows]))), images.device, clock)
    while rows < len(images):
        step = train_steps(state, repeat((images[:rows], labels[:rows])))
        if 2 * _seconds(step, images.device, clock) > seconds:
            break
        rows *= 2
    return min(rows, len(images))


def _seconds(steps: Iterator[GanStep], device: torch.device, clock: Clock) -> float:
    start = clock()
    next(steps)
    if device.type != "cpu":
        torch.accelerator.synchronize(device)
    return clock() - start
