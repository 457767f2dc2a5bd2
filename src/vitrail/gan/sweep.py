"""Sweep: several trainings, one after another, and what is needed to compare them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from vitrail.errors import BadSetting, VitrailError
from vitrail.events import Event, Note, Progress
from vitrail.gan.generator_network import GeneratorNetwork
from vitrail.gan.results import distance_name
from vitrail.gan.sample_rows import SampleRow, generated_row, real_row
from vitrail.gan.training import ARGUMENTS, check_training, train
from vitrail.gan.training_data import TrainingData
from vitrail.gan.training_events import TrainingEnd, TrainingEvent
from vitrail.gan_training.arguments import check_kind
from vitrail.gan_training.losses import LOSSES
from vitrail.interrupts import until_stopped
from vitrail.validation import check_choice, describe

STEP_MEANS = {
    "discriminator_loss": "D loss",
    "generator_loss": "G loss",
    "d_real": "D(x)",
    "d_fake_before_g": "D(G(z))",
}
"""Means over the steps of the last epoch: key in a history, and column."""

PROBABILITIES = ("d_real", "d_fake_before_g")
SUMMARISED = ("epochs", "steps", "best", "metrics", "label_agreement", "alarms", "images_per_second", "seconds")


USE_CELLS = '{"hinge": SweepCell(data, keywords)}'


@dataclass(frozen=True)
class SweepCell:
    """One training of a sweep.

    Attributes:
        data: the images.
        keywords: of `train`.
    Raises:
        BadSetting: data or keywords of another type, or a keyword that there is not.
    """

    data: TrainingData
    keywords: Mapping[str, Any]

    def __post_init__(self) -> None:
        check_kind("data", self.data, TrainingData, "gan.open_training_data(folder, options)")
        check_kind("keywords", self.keywords, Mapping, '{"epochs": 20}')
        for name in self.keywords:
            check_choice("A keyword of gan.train", name, tuple(ARGUMENTS))


@dataclass(frozen=True)
class CellResult:
    """A finished training of a sweep.

    Attributes:
        values: as in `result.json` of the training.
        history: values of each epoch.
        samples: generated images of the best epoch.
        real: real images with the same labels.
    """

    name: str
    values: Mapping[str, Any] = field(repr=False)
    history: Sequence[Mapping[str, Any]] = field(repr=False)
    samples: SampleRow = field(repr=False)
    real: SampleRow = field(repr=False)

    @property
    def last_epoch(self) -> dict[str, float | None]:
        """Means over the steps of the last epoch; no D(x) where scores are no probabilities."""
        relative = LOSSES[self.values["loss"]].relative
        return {key: None if relative and key in PROBABILITIES else self.history[-1].get(key) for key in STEP_MEANS}

    @property
    def measured_as(self) -> str:
        """Feature extractor and number of images of the distances while training."""
        network = distance_name(self.values).partition(",")[0]
        return f"{network}, {self.values['baselines_while_training']['n']}"

    def summarised(self, settings: Mapping[str, Any]) -> dict[str, Any]:
        """The training as `result.json` of a sweep has it.

        Args:
            settings: the varied ones.
        """
        return {
            "name": self.name,
            "settings": dict(settings),
            **{key: self.values[key] for key in SUMMARISED},
            "mode": self.values["choices"]["mode"],
            "last_epoch": self.last_epoch,
        }


@dataclass(frozen=True)
class SweepResult:
    """The trainings of a sweep.

    Attributes:
        cells: those that finished.
        failed: `name` and `reason` of those that failed after their first step.
        omitted: number of those that were not trained because of Ctrl-C.
    """

    cells: Sequence[CellResult]
    failed: Sequence[Mapping[str, str]]
    omitted: int


def sweep(cells: Mapping[str, SweepCell]) -> Iterator[Event | SweepResult]:
    """Trains all cells; yields progress and notes, and `SweepResult` last.

    A training that fails after its first step, e.g. at too high a learning rate, does not end the sweep, unless it is
    the last one and none has finished. Ctrl-C ends the sweep with the finished trainings, if there are any.

    Raises:
        BadSetting, UnknownName: no training, or settings that are out of range, contradict each other or do not fit the
            images; before the first step.
    """
    if not isinstance(cells, Mapping) or not cells:
        raise BadSetting(f"cells must name at least one SweepCell; got {describe(cells)}. Use {USE_CELLS}.")
    for name, cell in cells.items():
        check_kind("The name of a training", name, str, "beta1=0.5")
        check_kind(f"cells[{name!r}]", cell, SweepCell, "SweepCell(data, keywords)")
    for cell in cells.values():
        check_training(cell.data, **cell.keywords)
    yield Note(f"{len(cells)} trainings, one after another.")
    finished: list[CellResult] = []
    failed: list[dict[str, str]] = []
    yield from until_stopped(_train_all(cells, finished, failed), lambda: len(finished), "run")
    yield SweepResult(finished, failed, len(cells) - len(finished) - len(failed))


def _train_all(
    cells: Mapping[str, SweepCell], finished: list[CellResult], failed: list[dict[str, str]]
) -> Iterator[Event]:
    notes: set[str] = set()  # those about data and judge are the same for all trainings
    for number, (name, cell) in enumerate(cells.items(), 1):
        training = _CellTraining(name, cell)
        try:
            for event in training.events():
                if not (isinstance(event, Note) and event.text in notes):
                    yield event
                notes |= {event.text} if isinstance(event, Note) else set()
            assert training.result is not None
            finished.append(training.result)
        except VitrailError as error:
            if not training.has_begun or (number == len(cells) and not finished):
                raise
            failed.append({"name": name, "reason": str(error)})
            yield Note(f"{name} is left out: {error}", "warning")
        yield Progress("runs", number, len(cells), unit="runs")


@dataclass
class _CellTraining:
    """One training, whose events bear its name from the first step on."""

    name: str
    cell: SweepCell
    result: CellResult | None = None
    has_begun: bool = False

    def events(self) -> Iterator[Event]:
        for event in train(self.cell.data, **self.cell.keywords):
            yield from self._with_name(event)

    def _with_name(self, event: TrainingEvent) -> Iterator[Event]:
        match event:
            case Progress():
                self.has_begun = self.has_begun or bool(event.values)
                yield replace(event, stage=f"{self.name}: {event.stage}") if self.has_begun else event
            case Note():
                yield replace(event, text=f"{self.name}: {event.text}") if self.has_begun else event
            case TrainingEnd():
                generator = GeneratorNetwork(event.generator.requires_grad_(False), event.description)
                real = real_row(self.cell.data.train, generator)
                history = [dict(entry) for entry in event.history]
                self.result = CellResult(self.name, event.values, history, generated_row(generator), real)
