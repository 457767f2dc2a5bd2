"""Several runs side by side: classifiers, or generators."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from vitrail.errors import BadRun, MissingExtra
from vitrail.events import Event, Note, Plot, Result, Table
from vitrail.runs import Run, read_run
from vitrail.settings import setting
from vitrail.task import Task

KINDS = {"transfer": "vitrail transfer", "gan-train": "vitrail gan train"}


class Compare(Task):
    """Compare runs of `transfer`, or runs of `gan train`, in tables and figures."""

    run_folders: tuple[Path, ...] = setting(..., "Run folders", positional=True)

    def run(self) -> Iterator[Event]:
        """Yields tables and figures; the last event is the `Result`."""
        runs = [read_run(folder) for folder in self.run_folders]
        if _kind(runs) == "gan-train":
            from vitrail.tasks.compare_gans import compared

            yield from compared(runs)
            return
        rows = [_row(run) for run in runs]
        columns = ("run", "accuracy", "low", "high", "n", "backbone", "layer", "head", "C", "seconds")
        yield Table("comparison", "Runs", columns, [tuple(row[column] for column in columns) for row in rows])
        try:
            yield _figure(rows)
        except MissingExtra as error:
            yield Note(f"{error} No figure was drawn.")
        yield Result({"runs": rows})


def _kind(runs: Sequence[Run]) -> str:
    """The task that all runs are of.

    Raises:
        BadRun: there are several, or one that cannot be compared, or a run that has not ended.
    """
    for run in runs:
        if run.task not in KINDS or run.result is None:
            what = f"a run of {run.task}" if run.task not in KINDS else "a run that has not ended"
            wanted = " or ".join(f"`{command}`" for command in KINDS.values())
            raise BadRun(f"{str(run.folder)!r} is {what}; give runs of {wanted} that have ended.")
    other = next((run for run in runs if run.task != runs[0].task), None)
    if other is not None:
        raise BadRun(
            f"Only runs of one kind compare; {str(runs[0].folder)!r} is of `{KINDS[runs[0].task]}` and "
            f"{str(other.folder)!r} of `{KINDS[other.task]}`; compare each kind for itself."
        )
    return runs[0].task


def _row(run: Run) -> dict[str, object]:
    match run.result:
        case {
            "test": {"accuracy": float(accuracy), "n": int(n), "interval": [float(low), float(high)]},
            "choice": {"backbone": backbone, "layer": layer, "head": head, "C": C},
            "seconds": {"total": float(seconds)},
        }:
            measured = {"run": run.folder.name, "accuracy": accuracy, "low": low, "high": high, "n": n}
            return {**measured, "backbone": backbone, "layer": layer, "head": head, "C": C, "seconds": seconds}
    raise BadRun(f"{str(run.folder)!r} holds no measured classifier; give runs that had test images.")


def _figure(rows: list[dict[str, object]]) -> Plot:
    from vitrail.plots import Interval, comparison

    intervals = [
        Interval(str(row["run"]), *(float(str(row[key])) for key in ("accuracy", "low", "high"))) for row in rows
    ]
    return Plot("comparison", "Accuracy and its 95 % interval", comparison(intervals))
