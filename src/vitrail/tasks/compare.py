"""Comparison of several runs: classifiers, or GANs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from vitrail.errors import BadRun, MissingExtra
from vitrail.events import Event, Note, Plot, Result, Summary, Table
from vitrail.formatting import command, duration, interval, percent
from vitrail.runs import Run, read_runs
from vitrail.settings import DATA, setting
from vitrail.task import Task

COMMANDS = {"transfer": "vitrail transfer", "gan-train": "vitrail gan train"}
COLUMNS = ("run", "accuracy", "low", "high", "n", "backbone", "layer", "head", "C", "seconds")


class Compare(Task):
    """Compare runs of `vitrail transfer`, or runs of `vitrail gan train`."""

    run_folders: tuple[Path, ...] = setting(..., "Run folders of one command", panel=DATA, positional=True)

    def run(self) -> Iterator[Event]:
        """Yields tables and a plot; the last event is the `Result`."""
        runs = read_runs(self.run_folders)
        if _common_task(runs) == "gan-train":
            from vitrail.tasks.compare_gans import compare_gans

            yield from compare_gans(runs)
            return
        rows = [_row(run) for run in runs]
        yield Table("comparison", "Runs", COLUMNS, [list(row.values()) for row in rows], prominent=False)
        yield _accuracies(rows)
        try:
            yield _plot(rows)
        except MissingExtra as error:
            yield Note(f"{error} No plot was drawn.", "missing-extra")
        yield _summary(rows, runs)
        yield Result({"runs": rows})


def _common_task(runs: Sequence[Run]) -> str:
    """The task of all runs.

    Raises:
        BadRun: the tasks differ, a task cannot be compared, or a run has no result.
    """
    for run in runs:
        if run.task not in COMMANDS or run.result is None:
            fault = f"is a run of {run.task}" if run.task not in COMMANDS else "is not finished"
            commands = " or ".join(f"`{command}`" for command in COMMANDS.values())
            raise BadRun(f"{str(run.folder)!r} {fault}. Use finished runs of {commands}.", path=str(run.folder))
    other = next((run for run in runs if run.task != runs[0].task), None)
    if other is not None:
        raise BadRun(
            f"Runs must be of one command; {str(runs[0].folder)!r} is of `{COMMANDS[runs[0].task]}` and "
            f"{str(other.folder)!r} of `{COMMANDS[other.task]}`. Compare them separately.",
            path=str(other.folder),
        )
    return runs[0].task


def _row(run: Run) -> dict[str, Any]:
    """The values of one run, as `result.json` has them."""
    match run.result:
        case {
            "test": {"accuracy": float(accuracy), "n": int(n), "interval": [float(low), float(high)]},
            "choice": {"backbone": backbone, "layer": layer, "head": head, "C": C},
            "seconds": {"total": float(seconds)},
        }:
            accuracies = {"run": run.folder.name, "accuracy": accuracy, "low": low, "high": high, "n": n}
            return {**accuracies, "backbone": backbone, "layer": layer, "head": head, "C": C, "seconds": seconds}
    raise BadRun(f"{str(run.folder)!r} has no test accuracy. Use runs with test images.", path=str(run.folder))


def _copies(run: Run) -> tuple[int, float | None]:
    """Number of test images that are copies of training images, and the accuracy without them; None: all are."""
    match run.result:
        case {"test": {"copies": int(copies), "without_copies": {"accuracy": float(accuracy)}}}:
            return copies, accuracy
        case {"test": {"copies": int(copies)}}:
            return copies, None
    return 0, None


def _accuracies(rows: Sequence[Mapping[str, Any]]) -> Table:
    columns = ("run", "accuracy", "95 % interval", "images", "backbone", "time")
    bounds = [(percent(row["accuracy"]), interval(row["low"], row["high"]), row["n"]) for row in rows]
    cells = [(r["run"], *b, r["backbone"], duration(r["seconds"])) for r, b in zip(rows, bounds, strict=True)]
    return Table("accuracies", "Test accuracy", columns, cells)


def _summary(rows: Sequence[Mapping[str, Any]], runs: Sequence[Run]) -> Summary:
    from vitrail.transfer.evaluation import choice_of_test_images

    best, *others = sorted(rows, key=lambda row: -row["accuracy"])
    lines = [
        ("best run", best["run"]),
        ("accuracy", f"{percent(best['accuracy'])} (95 % interval {interval(best['low'], best['high'])})"),
    ]
    overlapping = [row["run"] for row in others if row["high"] >= best["low"]]
    if overlapping:
        lines.append(("overlapping", f"95 % interval of {best['run']} with that of {', '.join(overlapping)}"))
    for run, row in zip(runs, rows, strict=True):
        copies, rest = _copies(run)
        if copies:
            without = "all of them" if rest is None else f"accuracy {percent(rest)} without those"
            lines.append(("copies", f"{row['run']}: {copies:,} test images are training images too; {without}"))
    pairs = zip(runs, rows, strict=True)
    if len({choice_of_test_images(run.result or {}, run.settings, row["n"]) for run, row in pairs}) > 1:
        lines.append(("warning", "the runs differ in their data or split: accuracies may be of different images"))
    return Summary(lines, [command("report", *(run.folder for run in runs))])


def _plot(rows: Sequence[Mapping[str, Any]]) -> Plot:
    from vitrail.plots import Interval, comparison

    intervals = [Interval(row["run"], row["accuracy"], row["low"], row["high"]) for row in rows]
    return Plot("comparison", "Test accuracy and its 95 % interval", comparison(intervals))
