"""Several classifiers side by side."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from vitrail.errors import BadRun, MissingExtra
from vitrail.events import Event, Note, Picture, Result, Table
from vitrail.runs import read_run
from vitrail.settings import Task, setting


class Compare(Task):
    """Compare runs of `transfer` in one table and one figure."""

    run_folders: tuple[Path, ...] = setting(..., "Run folders", positional=True)

    def run(self) -> Iterator[Event]:
        """Yields the table and the figure; the last event is the `Result`."""
        rows = [_row(folder) for folder in self.run_folders]
        columns = ("run", "accuracy", "low", "high", "n", "backbone", "layer", "head", "C", "seconds")
        yield Table("comparison", "Runs", columns, [tuple(row[column] for column in columns) for row in rows])
        try:
            yield _figure(rows)
        except MissingExtra as error:
            yield Note(f"{error} No figure was drawn.")
        yield Result({"runs": rows})


def _row(folder: Path) -> dict[str, object]:
    run = read_run(folder)
    if run.task != "transfer" or run.result is None or run.result["test"]["accuracy"] is None:
        raise BadRun(f"{str(folder)!r} holds no measured classifier; give runs of `vitrail transfer` that have ended.")
    test, choice = run.result["test"], run.result["choice"]
    return {
        "run": folder.name,
        "accuracy": test["accuracy"],
        "low": test["interval"][0],
        "high": test["interval"][1],
        "n": test["n"],
        **choice,
        "seconds": run.result["seconds"]["total"],
    }


def _figure(rows: list[dict[str, object]]) -> Picture:
    from vitrail.pictures import Interval, comparison  # noqa: PLC0415  (matplotlib, an extra)

    intervals = [
        Interval(str(row["run"]), *(float(str(row[key])) for key in ("accuracy", "low", "high"))) for row in rows
    ]
    return Picture("comparison", "Accuracy and its 95 % interval", comparison(intervals))
