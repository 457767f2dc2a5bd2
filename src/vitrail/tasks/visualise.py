"""Names of classes in, images out that show what a network takes them for; and what a second network says of them."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from pydantic import model_validator

from vitrail.errors import BadSetting
from vitrail.events import Event, Result
from vitrail.settings import Names, setting
from vitrail.task import Task


class Visualise(Task):
    """Make images of what a network believes classes look like, and ask a second network about them."""

    classes: tuple[str, ...] = setting((), "Classes, by name or number", positional=True)
    method: Literal["fourier", "lab", "maco"] | None = setting(
        None, "Frequencies (fourier), plain pixels (lab), or phases only (maco); else fourier, and lab for a sweep"
    )
    backbone: str = setting("squeezenet", "Network, by name, or a run folder of `vitrail transfer`")
    judge: str = setting("auto", "Second network that is asked: a name, none, or auto: the other packaged one")
    unit: Names = setting((), "Channels inside the network to show as well, as LAYER:INDEX; several with commas")
    start: str = setting("noise", "What to start from: noise, or an image", flag="--from")
    steps: int = setting(200, "Steps, of two forward passes' work each", ge=1)
    rate: float | None = setting(None, "Length of a step: 5 for lab; Adam's 0.05 for fourier, 0.2 for maco", gt=0)
    l2: float = setting(1e-3, "lab: weight of the image's length in score - l2 * length", ge=0)
    jitter: int = setting(16, "lab: pixels by which the image is shifted at random, at most", ge=0)
    blur_every: int = setting(10, "lab: steps from blur to blur; 0: never", ge=0)
    sweep: str = setting("", "lab: values to compare, as 'rate=1,5,10 steps=100,200 l2=1e-4,1e-2'")
    size: int | None = setting(None, "fourier, maco: side of the images in pixels; else the network's", ge=8, le=1024)
    spectrum: Names = setting((), "maco: own images to take the spectrum from, with commas")
    weights: Path | None = setting(None, "Weights file of the network (safetensors, or a torch state dict)")
    seed: int = setting(0, "Seed of the start and of the random views", ge=0)
    live: float | None = setting(None, "Seconds between looks at images that are not finished, in live/", gt=0)
    device: str = setting("auto", "Device: auto, cpu, cuda, cuda:1")

    def run(self) -> Iterator[Event]:
        """Yields progress, the images, a strip and an animation of each; the last event is the `Result`.

        Ctrl-C while images are made ends the work with what there is.
        """
        from vitrail.tasks.visualise_judge import Judge
        from vitrail.tasks.visualise_report import Report
        from vitrail.tasks.visualise_run import Making, rows_of
        from vitrail.transfer.classifier import open_network

        started = time.perf_counter()
        network = open_network(self.backbone, weights=self.weights, device=self.device)
        rows = rows_of(self, network)
        judge = yield from Judge.of(self.judge, network)
        report = Report(network, judge, swept=bool(self.swept), live=self.live)
        yield from report.shown(Making(self, network), rows)
        yield Result(
            {
                "backbone": [network.identity],
                "judge": judge.name if judge else None,
                "device": network.device,
                "skipped": [],
                **report.figures,
                "seconds": {"total": time.perf_counter() - started},
            }
        )

    @property
    def swept(self) -> dict[str, tuple[float, ...]]:
        """The values to compare, by setting.

        Raises:
            BadSetting: it is not written so.
        """
        # Unquoted, a shell hands all but the first on as if they were classes.
        words = (*self.sweep.split(), *(name for name in self.classes if "=" in name))
        return dict(_values(word) for word in words)

    @property
    def chosen(self) -> str:
        """The method."""
        return self.method or ("lab" if self.swept else "fourier")

    @model_validator(mode="after")
    def _settings_that_go_together(self) -> Visualise:
        if not self.names and not self.unit:
            raise BadSetting("There is nothing to show; give a class, as `vitrail visualise tarantula`, or --unit.")
        if self.swept and self.chosen != "lab":
            raise BadSetting(f"A sweep compares settings of the lab's method; got --method {self.method}.")
        if self.size and self.chosen == "lab":
            raise BadSetting("The lab's images have the network's own size; leave --size out, or take fourier.")
        if self.chosen == "maco" and self.start != "noise":
            raise BadSetting("maco starts from random phases; leave --from out, or take fourier or lab.")
        return self

    @property
    def names(self) -> tuple[str, ...]:
        """The classes, without the words of a sweep."""
        return tuple(name for name in self.classes if "=" not in name)


def _values(word: str) -> tuple[str, tuple[float, ...]]:
    name, _, values = word.partition("=")
    try:
        numbers = tuple(float(value) for value in values.split(","))
        good = name == "l2" or (name == "rate" and min(numbers) > 0)
        good = good or (name == "steps" and all(n >= 1 and n == int(n) for n in numbers))
    except (ValueError, OverflowError):
        good = False
    if not good or min(numbers) < 0 or max(numbers) == float("inf"):
        raise BadSetting(f"--sweep takes rate=, steps= or l2= and numbers; got {word!r}; 'rate=1,5,10' would work.")
    return name, numbers
