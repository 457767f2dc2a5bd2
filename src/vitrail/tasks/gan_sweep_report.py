"""What a sweep shows of its runs: tables, curves side by side, samples row under row."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING, Any

from vitrail.errors import MissingExtra
from vitrail.events import Event, Image, Note, Plot, Table
from vitrail.gan_training.losses import LOSSES
from vitrail.plots import Axis, Line, SmallMultiple, small_multiples
from vitrail.tasks.gan_figures import alarms_in_words, distance_name, distances, incomparable, metric
from vitrail.tasks.gan_sheet import Row, sheet

if TYPE_CHECKING:
    from vitrail.tasks.gan_train import GanTrain

LAST = {"discriminator_loss": "D loss", "generator_loss": "G loss", "d_real": "D(x)", "d_fake_before_g": "D(G(z))"}
"""Means of the last epoch, by their names in a history, and what columns call them."""

BELIEFS = ("d_real", "d_fake_before_g")
USUAL = 10  # times the middle run's largest loss that still fit into one scale with it


@dataclass(frozen=True)
class Finished:
    """One run of a sweep.

    Attributes:
        result: as `gan train` has it.
        history: an entry an epoch.
        samples, real: of the sheet.
    """

    name: str
    task: GanTrain
    result: Mapping[str, Any]
    history: Sequence[Mapping[str, Any]]
    samples: Row
    real: Row

    def last_epoch(self) -> dict[str, float | None]:
        """Means of the steps of the last epoch; no D(x) where scores are no probabilities."""
        relative = LOSSES[self.task.loss].relative
        return {name: None if relative and name in BELIEFS else self.history[-1].get(name) for name in LAST}

    def curve(self, key: str, name: str = "") -> Line:
        """A figure over the steps, at the epochs that have it."""
        found = [entry for entry in self.history if entry.get(key) is not None]
        return Line([entry["step"] for entry in found], [entry[key] for entry in found], name)

    def figures(self, varied: Sequence[str]) -> dict[str, Any]:
        """As `result.json` has it.

        Args:
            varied: the settings that tell it from other runs.
        """
        kept = ("epochs", "steps", "best", "metrics", "label_agreement", "alarms", "images_per_second", "seconds")
        return {
            "name": self.name,
            "settings": self.task.model_dump(mode="json", include=set(varied)),
            **{key: self.result[key] for key in kept},
            "mode": self.result["choices"]["mode"],
            "last_epoch": self.last_epoch(),
        }


def report(finished: Sequence[Finished]) -> Iterator[Event]:
    """The tables, the figures, the sheet."""
    yield from _tables(finished)
    note = incomparable([one.result for one in finished])
    if note:
        yield note
    try:
        yield Plot("losses", "Losses of each run, means of each epoch", _losses(finished))
        yield Plot("distance", "Fréchet distance of each run while training, and its floor", _distance(finished))
    except MissingExtra as error:
        yield Note(f"{error} No curves were drawn.")
    rows = [(one.name, one.samples) for one in finished]
    yield Image(
        "samples", "Samples of each run's best epoch, from the same noise", sheet([*rows, ("real", finished[0].real)])
    )


def _tables(finished: Sequence[Finished]) -> Iterator[Table]:
    """One with everything, to be kept; and the same in two, as no terminal is wide enough for it."""
    names = [one.name for one in finished]
    results = [one.result for one in finished]
    columns, rows = distances(results)
    samples = [
        (*row, metric(each, "coverage").get("value"), each["label_agreement"], alarms_in_words(each["alarms"]))
        for row, each in zip(rows, results, strict=True)
    ]
    games = [
        (each["epochs"], *one.last_epoch().values(), each["images_per_second"])
        for one, each in zip(finished, results, strict=True)
    ]
    about_samples = ("coverage", "label agreement", "alarms")
    about_games = ("epochs", *LAST.values(), "images/s")
    whole = [(name, *sample, *state) for name, sample, state in zip(names, samples, games, strict=True)]
    yield Table("sweep", "Runs", ("setting", *columns, *about_samples, *about_games), whole, shown=False)
    short = ("setting", "FD", *columns[1:], *about_samples)
    title = "Samples of the best epochs" + (f"; FD is {columns[0]}" if columns[0] != "FD" else "")
    yield Table("samples", title, short, [(name, *row) for name, row in zip(names, samples, strict=True)])
    yield Table(
        "last_epoch",
        "Games, means of the last epochs",
        ("setting", *about_games),
        [(name, *row) for name, row in zip(names, games, strict=True)],
    )


def _losses(finished: Sequence[Finished]) -> bytes:
    pairs = [(one.curve("discriminator_loss", "D"), one.curve("generator_loss", "G")) for one in finished]
    peaks = [max((abs(value) for line in pair for value in line.y), default=0.0) for pair in pairs]
    shown = []
    for one, pair, peak in zip(finished, pairs, peaks, strict=True):
        # Of other losses, equal numbers do not mean the same; and one that blew up would flatten all others.
        usual = median(other for run, other in zip(finished, peaks, strict=True) if run.task.loss == one.task.loss)
        shown.append(SmallMultiple(one.name, pair, scale=one.task.loss if peak <= USUAL * usual else one.name))
    return small_multiples(shown, Axis("step", "loss"))


def _distance(finished: Sequence[Finished]) -> bytes:
    shown = []
    for one in finished:
        alike = [other for other in finished if other is not one and _measure(other) == _measure(one)]
        shown.append(
            SmallMultiple(
                one.name,
                [one.curve("frechet-distance", "this run")],
                [other.curve("frechet-distance") for other in alike],
                {"real images": one.result["baselines_while_training"]["frechet-distance"]},
                _measure(one),
            )
        )
    counts = {one.result["baselines_while_training"]["n"] for one in finished}
    where = f"FD, N = {counts.pop()}" if len(counts) == 1 else "FD"
    return small_multiples(shown, Axis("step", where, log_y=True))


def _measure(one: Finished) -> str:
    """What the distances while training were measured with."""
    network = distance_name(one.result).partition(",")[0]
    return f"{network}, {one.result['baselines_while_training']['n']}"
