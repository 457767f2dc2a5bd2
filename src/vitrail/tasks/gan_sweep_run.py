"""A sweep from the first run to the last figure."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import torch

from vitrail.datasets.open_pixels import Opened, Wish, open_pixels
from vitrail.devices import choose_device
from vitrail.errors import VitrailError
from vitrail.events import Event, Note, Progress, Result, Table, Weights
from vitrail.gan_training.sampler import ShuffledBatches
from vitrail.gan_training.state import loss_of
from vitrail.interrupts import until_stopped
from vitrail.tasks import gan_run
from vitrail.tasks.gan_generator import Generator
from vitrail.tasks.gan_players import described, made, training_options
from vitrail.tasks.gan_sheet import Row, real_row, row_of
from vitrail.tasks.gan_sweep_report import Finished, report

if TYPE_CHECKING:
    from vitrail.tasks.gan_sweep import GanSweep
    from vitrail.tasks.gan_train import GanTrain


def run(sweep: GanSweep) -> Iterator[Event]:
    """See `GanSweep.run`."""
    started = time.perf_counter()
    tasks, device = sweep.runs, choose_device(sweep.device)
    opened: dict[Wish, Opened] = {}
    for task in tasks.values():
        _check(task, opened)
    yield Note(f"{len(tasks)} runs, one after another.")
    course = Course()
    yield from until_stopped(_each(tasks, opened, course), lambda: len(course.finished), "run")
    finished = course.finished
    yield from report(finished)
    yield Result(
        {
            "backbone": list({str(entry): entry for one in finished for entry in one.result["backbone"]}.values()),
            "device": device,
            "skipped": finished[0].result["skipped"],
            "judge": finished[0].result["judge"],
            "varied": {name: list(values) for name, values in sweep.varied.items()},
            "runs": [one.figures(tuple(sweep.varied)) for one in finished],
            "failed": course.failed,
            "left_out": len(tasks) - len(finished) - len(course.failed),
            "seconds": {"total": time.perf_counter() - started},
        }
    )


@dataclass
class Course:
    """What became of the runs so far."""

    finished: list[Finished] = field(default_factory=list)
    failed: list[dict[str, str]] = field(default_factory=list)


def _check(task: GanTrain, opened: dict[Wish, Opened]) -> None:
    """What a training would only find out when it begins is found out now: the last run may begin in hours.

    Raises:
        BadSetting, UnknownName: its settings go with each other, but not with these images.
    """
    wish = gan_run.wish_of(task)
    if wish not in opened:
        opened[wish] = open_pixels(task.data, wish)
    about = described(task, opened[wish].train)
    loss_of(training_options(task, about))
    ShuffledBatches(len(opened[wish].train), task.batch, task.seed)
    made(about)


def _each(tasks: Mapping[str, GanTrain], opened: Mapping[Wish, Opened], course: Course) -> Iterator[Event]:
    """All runs; one that breaks while it plays, as at a rate that is too high, does not end the sweep.

    Raises:
        VitrailError: none plays, or none gets to its end.
    """
    said: set[str] = set()
    for number, (name, task) in enumerate(tasks.items(), 1):
        heard = Heard(name, task, opened[gan_run.wish_of(task)])
        try:
            for event in heard.events():
                if not (isinstance(event, Note) and event.text in said):
                    yield event
                said |= {event.text} if isinstance(event, Note) else set()
            course.finished.append(heard.finished())
        except VitrailError as error:
            if not heard.plays or (number == len(tasks) and not course.finished):
                raise
            course.failed.append({"name": name, "reason": str(error)})
            yield Note(f"{name} is left out: {error}")
        yield Progress("runs", number, len(tasks), unit="runs")


@dataclass
class Heard:
    """What one training says: some of it is passed on at once, some kept until it ends, most left out."""

    name: str
    task: GanTrain
    opened: Opened
    history: list[dict[str, Any]] | None = None
    rows: tuple[Row, Row] | None = None
    result: Mapping[str, Any] | None = None
    plays: bool = False

    def events(self) -> Iterator[Event]:
        """Trains; of what it says, what is worth hearing at once."""
        for event in gan_run.run(self.task, self.opened):
            yield from self._passed_on(event)

    def _passed_on(self, event: Event) -> Iterator[Event]:
        """Progress and notes; they have the run's name before them once it plays. Before that, they are all runs'."""
        match event:
            case Progress():
                self.plays = self.plays or bool(event.values)
                yield replace(event, stage=f"{self.name}: {event.stage}") if self.plays else event
            case Note():
                yield Note(f"{self.name}: {event.text}") if self.plays else event
            case Table(name="history"):
                self.history = [dict(zip(event.columns, row, strict=True)) for row in event.rows]
            case Weights(name="generator"):
                self.rows = self._samples(event)
            case Result():
                self.result = event.values

    def finished(self) -> Finished:
        """What is left of it."""
        assert self.history is not None
        assert self.rows is not None
        assert self.result is not None
        return Finished(self.name, self.task, self.result, self.history, *self.rows)

    def _samples(self, weights: Weights) -> tuple[Row, Row]:
        """The trained generator's images, and real ones in the same order."""
        network = made(weights.description).generator
        network.load_state_dict({name: torch.from_numpy(value) for name, value in weights.tensors.items()})
        generator = Generator(network.eval().requires_grad_(False), weights.description, self.task.model_dump())
        return row_of(generator), real_row(self.opened.train, generator)
