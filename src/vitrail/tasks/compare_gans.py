"""GAN trainings side by side: quality and diversity of their images, and their cost."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Literal

from vitrail.errors import BadRun, MissingExtra, VitrailError
from vitrail.events import Event, Image, Note, Plot, Result, Summary, Table
from vitrail.formatting import command, number
from vitrail.gan.comparison import check_comparable, comparison_row
from vitrail.gan.generator import Generator, load
from vitrail.gan.results import Values, comparison_warning, distance_lines, distances
from vitrail.gan.sample_rows import generated_row, sample_sheet
from vitrail.plots import Score, scores
from vitrail.runs import Run

ROW_NAMES = {
    "coverage": "coverage",
    "coverage_baseline": "coverage of real images",
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
"""Rows of the printed table, by key in `result.json`."""

SCORES: tuple[tuple[str, str, str, Literal["low", "high"] | None], ...] = (
    ("Fréchet distance", "distance", "distance_baseline", "low"),
    ("coverage", "coverage", "coverage_baseline", "high"),
    ("label agreement", "label_agreement", "judge_accuracy", "high"),
    ("novelty", "novelty", "novelty_baseline", None),
    ("training, seconds", "seconds_training", "", "low"),
)
"""Scores of the plot: name, key in `result.json`, key of the baseline, and which value is best."""


def compare_gans(runs: Sequence[Run]) -> Iterator[Event]:
    """Yields tables, a plot, samples of each run and the summary; the last event is the `Result`.

    Raises:
        BadRun: a run has no metrics, or damaged ones.
    """
    results = [_result(run) for run in runs]
    generators: list[Generator | None] = []
    for run in runs:
        try:
            generators.append(load(run.folder, device="cpu"))
        except VitrailError as error:
            generators.append(None)
            yield Note(f"{error} Its samples are left out.", "warning", str(run.folder))
    rows = [
        comparison_row(run.folder.name, result, generator)
        for run, result, generator in zip(runs, results, generators, strict=True)
    ]
    yield from _tables(rows, results)
    warning = comparison_warning(results)
    if warning:
        yield warning
    try:
        yield Plot("comparison", "Metrics of each run, beside those of real images", _plot(rows, warning is None))
    except MissingExtra as error:
        yield Note(f"{error} No plot was drawn.", "missing-extra")
    samples = [(run.folder.name, generated_row(each)) for run, each in zip(runs, generators, strict=True) if each]
    if samples:
        yield Image("samples", "Samples of each run, from the same seeds", sample_sheet(samples))
    yield _summary(rows, results, runs, comparable=warning is None)
    yield Result({"runs": rows, "comparable": warning is None})


def _result(run: Run) -> Values:
    try:
        check_comparable(run.result or {})
    except ValueError as error:
        folder = str(run.folder)
        raise BadRun(
            f"{folder!r} holds no metrics of a generator, or damaged ones ({error}). Use runs of `vitrail gan train`.",
            path=folder,
        ) from None
    return run.result or {}


def _tables(rows: Sequence[Values], results: Sequence[Values]) -> Iterator[Table]:
    """A stored table with a row per run, and a printed one with a row per value: there are too many for columns."""
    yield Table("comparison", "Runs", list(rows[0]), [list(row.values()) for row in rows], prominent=False)
    columns, distance = distances(results)
    values = [(name, *cells) for name, cells in zip(columns, zip(*distance, strict=True), strict=True)]
    values += [(name, *(row[key] for row in rows)) for key, name in ROW_NAMES.items()]
    yield Table("metrics", "Runs, samples of the best epochs", ("metric", *(row["run"] for row in rows)), values)


def _plot(rows: Sequence[Values], comparable: bool) -> bytes:
    """Scores that at least one run has; none is marked as the best if they are not comparable."""
    drawn = [
        Score(name, [row[key] for row in rows], [row.get(baseline) for row in rows] if baseline else (), best)
        for name, key, baseline, best in SCORES
        if any(row[key] is not None for row in rows)
    ]
    return scores([row["run"] for row in rows], drawn if comparable else [replace(score, best=None) for score in drawn])


def _summary(rows: Sequence[Values], results: Sequence[Values], runs: Sequence[Run], *, comparable: bool) -> Summary:
    named = [(str(row["run"]), result) for row, result in zip(rows, results, strict=True)]
    lines = [("runs", f"{len(rows)} trainings"), *distance_lines(named, comparable=comparable)]
    fastest = max(rows, key=lambda row: row["images_per_second"] or 0)
    if fastest["images_per_second"]:
        lines.append(("fastest training", f"{fastest['run']}, {number(round(fastest['images_per_second']))} images/s"))
    return Summary(lines, [command("report", *(run.folder for run in runs))])
