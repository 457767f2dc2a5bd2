"""A sweep from the first run to the last figure."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from vitrail.datasets.open_pixels import Wish
from vitrail.devices import choose_device
from vitrail.errors import VitrailError
from vitrail.events import Event, Note, Progress, Result
from vitrail.gan.generator_network import GeneratorNetwork
from vitrail.gan.sample_rows import SampleRow, generated_row, real_row
from vitrail.gan.training import check_training, train
from vitrail.gan.training_data import TrainingData, open_training_data
from vitrail.gan.training_events import TrainingEnd, TrainingEvent
from vitrail.interrupts import until_stopped
from vitrail.tasks.gan_sweep_report import Finished, report

if TYPE_CHECKING:
    from vitrail.tasks.gan_sweep import GanSweep
    from vitrail.tasks.gan_train import GanTrain


def run(sweep: GanSweep) -> Iterator[Event]:
    """See `GanSweep.run`."""
    started = time.perf_counter()
    tasks, device = sweep.runs, choose_device(sweep.device)
    opened: dict[Wish, TrainingData] = {}
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


def _check(task: GanTrain, opened: dict[Wish, TrainingData]) -> None:
    """What a training would only find out when it begins is found out now: the last run may begin in hours.

    Raises:
        BadSetting, UnknownName: its settings go with each other, but not with these images.
    """
    wish = task.pixel_options()
    if wish not in opened:
        opened[wish] = open_training_data(task.data, wish)
    check_training(opened[wish], **task.train_keywords())


def _each(tasks: Mapping[str, GanTrain], opened: Mapping[Wish, TrainingData], course: Course) -> Iterator[Event]:
    """All runs; one that breaks while it plays, as at a rate that is too high, does not end the sweep.

    Raises:
        VitrailError: none plays, or none gets to its end.
    """
    said: set[str] = set()
    for number, (name, task) in enumerate(tasks.items(), 1):
        heard = Heard(name, task, opened[task.pixel_options()])
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
    opened: TrainingData
    history: list[dict[str, Any]] | None = None
    rows: tuple[SampleRow, SampleRow] | None = None
    result: Mapping[str, Any] | None = None
    plays: bool = False

    def events(self) -> Iterator[Event]:
        """Trains; of what it says, what is worth hearing at once."""
        for event in train(self.opened, **self.task.train_keywords()):
            yield from self._passed_on(event)

    def _passed_on(self, event: TrainingEvent) -> Iterator[Event]:
        """Progress and notes; they have the run's name before them once it plays. Before that, they are all runs'."""
        match event:
            case Progress():
                self.plays = self.plays or bool(event.values)
                yield replace(event, stage=f"{self.name}: {event.stage}") if self.plays else event
            case Note():
                yield Note(f"{self.name}: {event.text}") if self.plays else event
            case TrainingEnd():
                self.history = [dict(entry) for entry in event.history]
                self.rows = self._samples(event)
                skipped = [{"file": "", "kind": "unreadable", "reason": note} for note in self.opened.opened.skipped]
                self.result = {**event.values, "skipped": skipped}

    def finished(self) -> Finished:
        """What is left of it."""
        assert self.history is not None
        assert self.rows is not None
        assert self.result is not None
        return Finished(self.name, self.task, self.result, self.history, *self.rows)

    def _samples(self, end: TrainingEnd) -> tuple[SampleRow, SampleRow]:
        """The trained generator's images, and real ones in the same order."""
        generator = GeneratorNetwork(end.generator.requires_grad_(False), end.description)
        return generated_row(generator), real_row(self.opened.train, generator)
