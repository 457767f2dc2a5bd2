"""Generators side by side: what their images are worth, how varied they are, and what they cost."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal

from vitrail.errors import BadRun, MissingExtra, VitrailError
from vitrail.events import Event, Image, Note, Plot, Result, Table
from vitrail.gan.networks import build
from vitrail.plots import Score, scores
from vitrail.runs import Run
from vitrail.tasks.gan_figures import alarms_in_words, distance_name, distances, incomparable, metric
from vitrail.tasks.gan_generator import Generator, read_generator
from vitrail.tasks.gan_sheet import row_of, sheet


def compared(runs: Sequence[Run]) -> Iterator[Event]:
    """See `Compare.run`."""
    results = [_result(run) for run in runs]
    generators: list[Generator | None] = []
    for run in runs:
        try:
            generators.append(read_generator(run.folder))
        except VitrailError as error:
            generators.append(None)
            yield Note(f"{error} Its samples are left out.")
    rows = [_row(run, result, generator) for run, result, generator in zip(runs, results, generators, strict=True)]
    yield from _tables(rows, results)
    note = incomparable(results)
    if note:
        yield note
    try:
        yield Plot("comparison", "Figures of each run, beside those of real images", _figure(rows, note is None))
    except MissingExtra as error:
        yield Note(f"{error} No figure was drawn.")
    shown = [(run.folder.name, row_of(each)) for run, each in zip(runs, generators, strict=True) if each is not None]
    if shown:
        yield Image("samples", "Samples of each run, from the same seeds", sheet(shown))
    yield Result({"runs": rows, "comparable": note is None})


def _result(run: Run) -> Mapping[str, Any]:
    kept = ("metrics", "label_agreement", "architecture", "loss", "epochs", "alarms", "images_per_second", "seconds")
    if run.result is None or any(name not in run.result for name in kept):
        raise BadRun(f"{str(run.folder)!r} holds no measured generator; give runs of `vitrail gan train`.")
    return run.result


def _row(run: Run, result: Mapping[str, Any], generator: Generator | None) -> dict[str, Any]:
    """One run, as `result.json` has it."""
    distance, coverage, novelty = (metric(result, name) for name in ("frechet-distance", "coverage", "novelty"))
    judge = result.get("judge") or {}
    return {
        "run": run.folder.name,
        "architecture": result["architecture"],
        "conditional": result.get("conditional"),
        "loss": result["loss"],
        "epochs": result["epochs"],
        "distance": distance.get("value"),
        "distance_floor": distance.get("baseline"),
        "measured_as": distance_name(result),
        "coverage": coverage.get("value"),
        "coverage_floor": coverage.get("baseline"),
        "novelty": novelty.get("value"),
        "novelty_floor": novelty.get("baseline"),
        "label_agreement": result["label_agreement"],
        "judge_accuracy": judge.get("accuracy"),
        "images_per_second": result["images_per_second"],
        "seconds_training": result["seconds"].get("training"),
        **_parameters(generator),
        "alarms": alarms_in_words(result["alarms"]),
    }


def _parameters(generator: Generator | None) -> dict[str, int | None]:
    """Numbers that each player learns."""
    if generator is None:
        return {"generator_parameters": None, "discriminator_parameters": None}
    pair = build(generator.description)
    counts = {"generator_parameters": pair.generator, "discriminator_parameters": pair.discriminator}
    return {name: sum(weight.numel() for weight in network.parameters()) for name, network in counts.items()}


CALLED = {
    "coverage": "coverage",
    "coverage_floor": "coverage of real images",
    "label_agreement": "label agreement",
    "judge_accuracy": "judge on real images",
    "novelty": "novelty (real images: 1)",
    "alarms": "alarms",
    "architecture": "architecture",
    "loss": "loss",
    "epochs": "epochs",
    "images_per_second": "training, images/s",
    "seconds_training": "training, seconds",
    "generator_parameters": "parameters of G",
    "discriminator_parameters": "parameters of D",
}
"""Keys of a row, and what they are called where figures stand below each other."""


def _tables(rows: Sequence[Mapping[str, Any]], results: Sequence[Mapping[str, Any]]) -> Iterator[Table]:
    """A row a run, to be kept; and a row a figure, to be read: there are more figures than a terminal is wide."""
    yield Table("comparison", "Runs", list(rows[0]), [list(row.values()) for row in rows], shown=False)
    columns, distance = distances(results)
    read = [(name, *values) for name, values in zip(columns, zip(*distance, strict=True), strict=True)]
    read += [(name, *(row[key] for row in rows)) for key, name in CALLED.items()]
    yield Table("figures", "Runs, samples of the best epochs", ("figure", *(row["run"] for row in rows)), read)


SCORES: tuple[tuple[str, str, str, Literal["low", "high"] | None], ...] = (
    ("Fréchet distance", "distance", "distance_floor", "low"),
    ("coverage", "coverage", "coverage_floor", "high"),
    ("label agreement", "label_agreement", "judge_accuracy", "high"),
    ("novelty", "novelty", "novelty_floor", None),
    ("training, seconds", "seconds_training", "", "low"),
)
"""What is drawn: its name, its key in a row, that of what real images get, and which value is the best."""


def _figure(rows: Sequence[Mapping[str, Any]], comparable: bool) -> bytes:
    """What some run has a value of; nothing is the best where runs were measured in different ways."""
    shown = [
        Score(name, [row[key] for row in rows], [row.get(floor) for row in rows] if floor else (), best)
        for name, key, floor, best in SCORES
        if any(row[key] is not None for row in rows)
    ]
    chosen = shown if comparable else [replace(score, best=None) for score in shown]
    return scores([row["run"] for row in rows], chosen)
