"""A comparison of runs: one row per run, and a plot of their accuracies."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from vitrail.plots.comparison import Interval, comparison
from vitrail.report.contents import EmbeddedImage, ReportTable, RunContents, embed_png
from vitrail.report.numbers import backbone_names
from vitrail.report.values import format_value
from vitrail.transfer.evaluation import choice_of_test_images

_COLUMNS = ("run", "task", "accuracy", "95 % interval", "test images", "backbone", "layer", "head", "C", "time")
_REMARK = "These runs differ in their data or split: accuracies that are of different images are not comparable."


@dataclass(frozen=True)
class SideBySide:
    """The comparison; `plot` is None where fewer than two runs have an accuracy, `remark` is empty or a warning."""

    table: ReportTable
    plot: EmbeddedImage | None
    remark: str


def compare(runs: Sequence[RunContents]) -> SideBySide:
    """The comparison of at least two runs, in the order given.

    Raises:
        MissingExtra: matplotlib is not installed.
    """
    rows = [_row(run) for run in runs]
    intervals = [interval for run in runs if (interval := _interval(run))]
    plot = embed_png("Accuracy on the test images", comparison(intervals)) if len(intervals) > 1 else None
    sizes = [(run, n) for run in runs if isinstance(n := _get(run.result, "test", "n"), int)]
    data = {choice_of_test_images(run.result or {}, run.settings, n) for run, n in sizes}
    return SideBySide(ReportTable("Runs", _COLUMNS, rows, len(rows)), plot, _REMARK if len(data) > 1 else "")


def _row(run: RunContents) -> list[str]:
    result = run.result
    choice = (_get(result, "choice", key) for key in ("layer", "head", "C"))
    return [
        run.folder.name,
        run.task,
        format_value("accuracy", _get(result, "test", "accuracy")),
        format_value("interval", _get(result, "test", "interval")),
        format_value("n", _get(result, "test", "n")),
        format_value("", backbone_names(result)),
        *(format_value("", value) for value in choice),
        format_value("seconds", _get(result, "seconds", "total")),
    ]


def _interval(run: RunContents) -> Interval | None:
    match run.result.get("test"):
        case {"accuracy": int() | float() as value, "interval": [int() | float() as low, int() | float() as high]}:
            return Interval(run.folder.name, value, low, high)
    return None


def _get(values: Any, *path: str) -> Any:
    for key in path:
        values = values.get(key) if isinstance(values, dict) else None
    return values
