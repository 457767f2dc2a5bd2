"""Report of a sweep: tables, curves side by side, a sheet with a row of samples per run, and the summary."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from statistics import median

from vitrail.errors import MissingExtra
from vitrail.events import Event, Image, Note, Plot, Summary, Table
from vitrail.formatting import duration, percent
from vitrail.gan.results import (
    alarm_counts,
    comparison_warning,
    distance_lines,
    distances,
    metric,
)
from vitrail.gan.sample_rows import sample_sheet
from vitrail.gan.sweep import STEP_MEANS, CellResult, SweepResult
from vitrail.plots import Axis, Line, SmallMultiple, small_multiples

OUTLIER = 10  # times the median of the largest losses: a run above it has its own scale


def sweep_report(cells: Sequence[CellResult]) -> Iterator[Event]:
    """Tables, curves and a sheet of samples."""
    yield from _tables(cells)
    warning = comparison_warning([cell.values for cell in cells])
    if warning:
        yield warning
    try:
        yield Plot("losses", "Losses of each run, means of each epoch", _losses(cells))
        yield Plot("distance", "Fréchet distance of each run while training, and its baseline", _distance(cells))
    except MissingExtra as error:
        yield Note(f"{error} No curves were plotted.", "missing-extra")
    rows = [*((cell.name, cell.samples) for cell in cells), ("real", cells[0].real)]
    yield Image("samples", "Samples of each run's best epoch, from the same latents", sample_sheet(rows))


def sweep_summary(result: SweepResult, varied: Sequence[str], seconds: float) -> Summary:
    """The best run, and those that failed."""
    total = len(result.cells) + len(result.failed) + result.omitted
    comparable = comparison_warning([cell.values for cell in result.cells]) is None
    lines = [
        ("runs", f"{len(result.cells)} of {total} finished"),
        ("varied", ", ".join(name.replace("_", "-") for name in varied)),
        *distance_lines([(cell.name, cell.values) for cell in result.cells], comparable=comparable),
    ]
    if result.failed:
        lines.append(("failed", ", ".join(failure["name"] for failure in result.failed)))
    lines += [("files", "tables/sweep.csv, images/samples.png"), ("time", duration(seconds))]
    return Summary(lines, ["vitrail report {run}"])


def _curve(cell: CellResult, key: str, name: str = "") -> Line:
    """A value over the steps, at the epochs that have it."""
    entries = [entry for entry in cell.history if entry.get(key) is not None]
    return Line([entry["step"] for entry in entries], [entry[key] for entry in entries], name)


def _tables(cells: Sequence[CellResult]) -> Iterator[Table]:
    """A stored table with everything, and two printed ones, as no terminal is wide enough for it."""
    names = [cell.name for cell in cells]
    values = [cell.values for cell in cells]
    columns, rows = distances(values)
    samples = [
        (*row, metric(each, "coverage").get("value"), each["label_agreement"], alarm_counts(each["alarms"]))
        for row, each in zip(rows, values, strict=True)
    ]
    steps = [(cell.values["epochs"], *cell.last_epoch.values(), cell.values["images_per_second"]) for cell in cells]
    sample_columns = ("coverage", "label agreement", "alarms")
    step_columns = ("epochs", *STEP_MEANS.values(), "images/s")
    whole = [(name, *sample, *means) for name, sample, means in zip(names, samples, steps, strict=True)]
    yield Table("sweep", "Runs", ("setting", *columns, *sample_columns, *step_columns), whole, prominent=False)
    title = "Samples of the best epochs" + (f"; FD is {columns[0]}" if columns[0] != "FD" else "")
    printed = [
        (name, *row, _percent(coverage), _percent(agreement), len(each["alarms"]))
        for name, (*row, coverage, agreement, _), each in zip(names, samples, values, strict=True)
    ]
    yield Table("samples", title, ("setting", "FD", *columns[1:], *sample_columns), printed)
    means = [(name, *row) for name, row in zip(names, steps, strict=True)]
    yield Table("last_epoch", "Means of the last epochs", ("setting", *step_columns), means, prominent=False)


def _losses(cells: Sequence[CellResult]) -> bytes:
    pairs = [(_curve(cell, "discriminator_loss", "D"), _curve(cell, "generator_loss", "G")) for cell in cells]
    peaks = [max((abs(value) for line in pair for value in line.y), default=0.0) for pair in pairs]
    losses = [cell.values["loss"] for cell in cells]
    drawn = []
    for cell, pair, peak, loss in zip(cells, pairs, peaks, losses, strict=True):
        # Values of different losses do not compare; and one that diverged would flatten all others.
        typical = median(other for name, other in zip(losses, peaks, strict=True) if name == loss)
        drawn.append(SmallMultiple(cell.name, pair, scale=loss if peak <= OUTLIER * typical else cell.name))
    return small_multiples(drawn, Axis("step", "loss"))


def _distance(cells: Sequence[CellResult]) -> bytes:
    drawn = []
    for cell in cells:
        others = [other for other in cells if other is not cell and other.measured_as == cell.measured_as]
        drawn.append(
            SmallMultiple(
                cell.name,
                [_curve(cell, "frechet-distance", "this run")],
                [_curve(other, "frechet-distance") for other in others],
                {"real images": cell.values["baselines_while_training"]["frechet-distance"]},
                cell.measured_as,
            )
        )
    counts = {cell.values["baselines_while_training"]["n"] for cell in cells}
    name = f"FD, N = {counts.pop()}" if len(counts) == 1 else "FD"
    return small_multiples(drawn, Axis("step", name, log_y=True))


def _percent(share: float | None) -> str | None:
    return None if share is None else percent(share)
