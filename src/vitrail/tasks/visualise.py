"""Images of what a network takes for a class, and the verdict of a second network."""

from __future__ import annotations

import math
import re
import time
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import model_validator

from vitrail.errors import BadSetting, MissingWeights
from vitrail.events import Event, Note, Result
from vitrail.settings import (
    MEASURING,
    METHOD,
    NETWORK,
    OPTIMISATION,
    OUTPUT,
    Names,
    device_setting,
    memory_setting,
    seed_setting,
    setting,
    weights_setting,
)
from vitrail.task import Task

if TYPE_CHECKING:
    from vitrail.backbones.network import Network
    from vitrail.visualisation import Renderer, Variant

MIB = 2**20
BACKBONE = "squeezenet"
"""Measured as the better default of the two packaged networks: docs/methods/visualisation.md."""


class Visualise(Task):
    """Make images that a network recognises as a class, and ask a second network about them."""

    classes: tuple[str, ...] = setting((), "Classes, by name or index", panel=METHOD, positional=True)
    method: Literal["fourier", "maco", "pixels"] | None = setting(
        None, "Method: fourier, maco or pixels; default: fourier, with --sweep pixels", panel=METHOD
    )
    backbone: str = setting(
        BACKBONE, "Network: a name, or a run folder of `vitrail transfer`", panel=NETWORK, place="path"
    )
    steps: int = setting(200, "Number of steps; each costs two forward passes", panel=OPTIMISATION, ge=1)
    step_size: float | None = setting(
        None, "Step size; default: 0.05 (fourier), 0.2 (maco), 5 (pixels)", panel=OPTIMISATION, gt=0
    )
    channel: Names = setting((), "Channels inside the network to visualise, as LAYER:INDEX,...", panel=METHOD)
    start: str = setting("noise", "Image file to start from, or noise", panel=METHOD, flag="--from", place="path")
    size: int | None = setting(
        None, "Side of the images in pixels (fourier, maco); default: the network's", panel=METHOD, ge=8, le=1024
    )
    judge: str = setting(
        "auto", "Second network: a name, none, or auto for the other packaged one", panel=MEASURING, place="path"
    )
    spectrum: Names = setting((), "Images whose spectrum maco takes; default: packaged", panel=METHOD, place="path")
    l2: float = setting(1e-3, "Weight of the L2 penalty (pixels)", panel=OPTIMISATION, ge=0)
    jitter: int = setting(16, "Largest random shift in pixels (pixels)", panel=OPTIMISATION, ge=0)
    blur_every: int = setting(10, "Steps between blurs (pixels); 0: never", panel=OPTIMISATION, ge=0)
    sweep: str = setting(
        "", "Values to compare (pixels), e.g. 'step-size=1,5 steps=100,200 l2=1e-4'", panel=OPTIMISATION
    )
    preview_every: float | None = setting(
        None, "Seconds between previews, written to live/; default: none", panel=OUTPUT, gt=0
    )
    weights: Path | None = weights_setting()
    seed: int = seed_setting("the start and the random transformations")
    memory: int = memory_setting()
    device: str = device_setting()

    def run(self) -> Iterator[Event]:
        """Yields progress, and of each image the file, a strip and an animation; the last event is the `Result`.

        Ctrl-C ends the current batch; what it has reached is saved.
        """
        from vitrail.tasks.visualise_report import Report
        from vitrail.transfer.classifier import open_network

        started = time.perf_counter()
        network = open_network(self.backbone, weights=self.weights, device=self.device)
        variants = self._variants(network)
        second = yield from self._second_network(network)
        report = Report(network, second, sweep=bool(self.values), preview_every=self.preview_every or math.inf)
        yield from report.events(self._renderer(network), variants)
        seconds = time.perf_counter() - started
        yield report.summary(seconds, next_steps=["vitrail report {run}"])
        yield Result(
            {
                "backbone": [network.identity],
                "judge": second.name if second else None,
                "device": network.device,
                "method": self.chosen_method,
                "skipped": [],
                **report.result,
                "seconds": {"total": seconds},
            }
        )

    def _variants(self, network: Network) -> list[Variant]:
        from vitrail.visualisation import variants
        from vitrail.visualisation.batches import STEP_SIZES
        from vitrail.visualisation.targets import channel_target, class_target

        targets = [class_target(network.reference, name) for name in self.names]
        targets += [channel_target(network.reference, name) for name in self.channel]
        step_sizes = self.values.get("step-size", (self.step_size or STEP_SIZES[self.chosen_method],))
        steps = [int(value) for value in self.values.get("steps", (self.steps,))]
        return variants(list(dict.fromkeys(targets)), step_sizes, self.values.get("l2", (self.l2,)), steps)

    def _renderer(self, network: Network) -> Renderer:
        from vitrail.visualisation import Renderer

        return Renderer(
            network.fast,
            method=self.chosen_method,
            size=self.size,
            start=None if self.start == "noise" else self.start,
            spectrum=self.spectrum,
            jitter=self.jitter,
            blur_every=self.blur_every,
            seed=self.seed,
            memory=self.memory * MIB,
        )

    def _second_network(self, network: Network) -> Generator[Note, None, Network | None]:
        """The second network; None where "auto" has none with the same classes."""
        from vitrail.transfer.classifier import open_network
        from vitrail.visualisation.second_network import check_same_classes, other_packaged_network

        if self.judge == "none":
            return None
        if self.judge != "auto":
            second = open_network(self.judge, device=network.device)
            check_same_classes(second.reference, network.reference)
            return second
        try:
            second = open_network(other_packaged_network(network.name), device=network.device)
        except MissingWeights as error:
            yield Note(f"No second network was used: {error}", "warning")
            return None
        return second if second.classes == network.classes else None

    @property
    def values(self) -> dict[str, tuple[float, ...]]:
        """The values that a sweep compares, by option name.

        Raises:
            BadSetting: `sweep` is not written so.
        """
        # Without quotes, a shell passes all words but the first as classes.
        words = (*self.sweep.split(), *(name for name in self.classes if self._is_of_sweep(name)))
        return dict(_parse_values(word) for word in words)

    @property
    def names(self) -> tuple[str, ...]:
        """The classes, without the words of a sweep."""
        return tuple(name for name in self.classes if not self._is_of_sweep(name))

    def _is_of_sweep(self, word: str) -> bool:
        return bool(self.sweep and re.match(r"[a-z].*=.", word))

    @property
    def chosen_method(self) -> Literal["fourier", "maco", "pixels"]:
        """The method, with its default."""
        return self.method or ("pixels" if self.values else "fourier")

    @model_validator(mode="after")
    def _compatible_settings(self) -> Visualise:
        if not self.names and not self.channel:
            raise BadSetting("No class is given. Use e.g. `vitrail visualise tarantula`, or --channel.")
        if self.values and self.chosen_method != "pixels":
            raise BadSetting(f"--sweep compares options of pixels; got --method {self.method}. Use --method pixels.")
        if self.size and self.chosen_method == "pixels":
            raise BadSetting("--method pixels has the network's input size. Use --size with fourier or maco.")
        if self.chosen_method == "maco" and self.start != "noise":
            raise BadSetting("--method maco starts from random phases. Use --from with fourier or pixels.")
        return self


def _parse_values(word: str) -> tuple[str, tuple[float, ...]]:
    name, _, values = word.partition("=")
    try:
        numbers = tuple(float(value) for value in values.split(","))
        good = name == "l2" or (name == "step-size" and min(numbers) > 0)
        good = good or (name == "steps" and all(n >= 1 and n == int(n) for n in numbers))
    except (ValueError, OverflowError):
        good = False
    if not good or min(numbers) < 0 or max(numbers) == float("inf"):
        raise BadSetting(f"--sweep takes step-size=, steps= and l2= with numbers; got {word!r}. Use 'step-size=1,5'.")
    return name, numbers
