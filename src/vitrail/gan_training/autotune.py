"""The choice of the fastest equivalent training mode: real steps of each mode, timed in turn on copies.

Which mode is fastest depends on the layers, the batch, the processor and the version of torch: convolutions gain from
channels-last, wide linear layers from a fused optimizer and from concatenated batches, and either may lose from the
other.
"""

import copy
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import repeat
from typing import Protocol, runtime_checkable

import torch
from torch import nn

from vitrail.distributed import broadcast_from_rank0, rank_and_world_size, single_process
from vitrail.errors import one_line
from vitrail.gan_training.ema import has_batch_norm
from vitrail.gan_training.state import GanState, TrainingOptions
from vitrail.gan_training.step_graph import WARM_UP
from vitrail.gan_training.steps import GanStep, train_steps
from vitrail.tensors import Condition, SignedImages

REFERENCE, GRAPH = "reference", "fused and graph"
MARGIN = 1.03  # smallest speedup for which another mode than the reference is chosen
ROUNDS = (3, 9)  # fewest and most; the number of images is chosen so that the fewest fit into the time
FEW = 8  # images that are timed in any case

Batch = tuple[SignedImages, Condition]
Clock = Callable[[], float]


@runtime_checkable
class Networks(Protocol):
    """Generator and discriminator: a `GanPair` or a `GanState`."""

    @property
    def generator(self) -> nn.Module:
        """Maps latents and conditions to images."""

    @property
    def discriminator(self) -> nn.Module:
        """Maps images and conditions to scores."""


@dataclass(frozen=True)
class Choice:
    """The chosen training mode.

    Attributes:
        mode: "reference", "channels-last", "concatenated", "fused", or two of them ("channels-last and fused"); on
            a GPU also "fused and graph".
        options: the given options in this mode. A checkpoint stores it: another timing may give another mode, which
            rounds differently.
        speedups: of each other mode, the time of a step in the reference mode divided by its own.
        failures: of each mode that could not be used here, why; one line.
    """

    mode: str
    options: TrainingOptions
    speedups: dict[str, float]
    failures: dict[str, str] = field(default_factory=dict)


def autotune(
    networks: Networks, options: TrainingOptions, batch: Batch, *, seconds: float = 2.0, clock: Clock | None = None
) -> Choice:
    """The fastest mode for these networks and options, by timing steps on `batch` or on its first images.

    Neither the networks nor the random numbers change. Memory use is that of up to five trainings. Collective: every
    rank calls it, and gets the choice of rank 0.

    Args:
        batch: as `train_steps` takes it.
        seconds: approximate duration.
        clock: returns the time in seconds; None: wall time for the duration, and on a CPU the process's own CPU time
            for the comparison, which other programs affect little.
    """
    device = batch[0].device
    modes = _modes(networks, options, graph=device.type == "cuda" and rank_and_world_size()[1] == 1)
    with single_process(), torch.random.fork_rng([device] if device.type == "cuda" else []):
        states, failures = _states(networks, modes)
        shortest = _shortest_seconds(states, failures, batch, seconds, clock)
    speedups = {mode: shortest[REFERENCE] / shortest[mode] for mode in shortest if mode != REFERENCE}
    best = max(speedups, key=lambda mode: speedups[mode], default=REFERENCE)
    mode = best if speedups.get(best, 0) >= MARGIN else REFERENCE
    mode, speedups, failures = broadcast_from_rank0([mode, speedups, failures])
    return Choice(mode, modes[mode], speedups, failures)


def _states(networks: Networks, modes: Mapping[str, TrainingOptions]) -> tuple[dict[str, GanState], dict[str, str]]:
    """A training in each mode, and why there is none in the others: not every device has each of them."""
    states, failures = {}, {}
    for mode, options in modes.items():
        try:
            states[mode] = GanState(*_copies(networks), options)
        except RuntimeError as error:
            if mode == REFERENCE:
                raise
            failures[mode] = one_line(error)
    return states, failures


def _modes(networks: Networks, options: TrainingOptions, *, graph: bool) -> dict[str, TrainingOptions]:
    """The reference first, then the modes that may be faster; convolutions gain nothing from concatenated batches."""
    parts = (*networks.generator.modules(), *networks.discriminator.modules())
    if any(isinstance(part, nn.Conv2d | nn.ConvTranspose2d) for part in parts):
        names = [REFERENCE, "channels-last", "fused", "channels-last and fused"]
    elif not has_batch_norm(networks.discriminator):
        names = [REFERENCE, "concatenated", "fused", "concatenated and fused"]
    else:
        names = [REFERENCE, "fused"]
    return {
        name: replace(
            options,
            channels_last="channels-last" in name,
            concat_real_fake="concatenated" in name,
            fused="fused" in name,
            graph="graph" in name,
        )
        for name in [*names, *([GRAPH] if graph else [])]
    }


def _copies(networks: Networks) -> tuple[nn.Module, nn.Module]:
    return copy.deepcopy(networks.generator), copy.deepcopy(networks.discriminator)


def _shortest_seconds(
    states: dict[str, GanState], failures: dict[str, str], batch: Batch, seconds: float, clock: Clock | None
) -> dict[str, float]:
    """The shortest time of a step in each mode: the one that other programs delayed least.

    Modes that fail are moved from `states` to `failures`.
    """
    (images, labels), wall = batch, time.perf_counter if clock is None else clock
    own = time.process_time if clock is None and images.device.type == "cpu" else wall
    start = wall()
    rows = _affordable(states[REFERENCE], batch, seconds / (len(states) * ROUNDS[0]), wall)
    steps = {mode: train_steps(state, repeat((images[:rows], labels[:rows]))) for mode, state in states.items()}
    for mode, each in steps.items():  # warm-up: memory is allocated, kernels are chosen
        try:
            failure = _warm_up(states[mode], each, images.device, own)
        except RuntimeError as error:
            if mode == REFERENCE:
                raise
            failure = one_line(error)
        if failure:
            failures[mode] = failure
            del states[mode]
    taken: dict[str, list[float]] = {mode: [] for mode in states}
    order = list(states)
    for number in range(ROUNDS[1]):
        if number >= ROUNDS[0] and wall() - start > seconds:
            break
        for mode in order:
            taken[mode].append(_seconds(steps[mode], images.device, own))
        order.reverse()  # the first of one round is the last of the next
    return {mode: min(each) for mode, each in taken.items()}


def _warm_up(state: GanState, steps: Iterator[GanStep], device: torch.device, clock: Clock) -> str:
    """Why these steps cannot be timed, one line; empty: they can."""
    for _ in range(WARM_UP + 1 if state.options.graph else 1):
        _seconds(steps, device, clock)
    return state.graph.failure if state.graph else ""


def _affordable(state: GanState, batch: Batch, seconds: float, clock: Clock) -> int:
    """The number of images for which a step takes at most so many seconds; at most all."""
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
