"""Several runs beside each other: one row each, and a figure of their accuracies."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from vitrail.plots.comparison import Interval, comparison
from vitrail.report.figures import backbone_names
from vitrail.report.reading import Figure, Reading, Sheet, figure
from vitrail.report.wording import word

_COLUMNS = ("run", "task", "accuracy", "95 % interval", "test images", "backbone", "layer", "head", "C", "time")


@dataclass(frozen=True)
class SideBySide:
    """The comparison of several runs; `figure` is None where fewer than two of them measured an accuracy."""

    sheet: Sheet
    figure: Figure | None
    remark: str


def compare(readings: Sequence[Reading]) -> SideBySide:
    """The comparison of at least two runs, in the order given.

    Raises:
        MissingExtra: matplotlib is not installed.
    """
    rows = [_row(reading) for reading in readings]
    intervals = [interval for reading in readings if (interval := _interval(reading))]
    drawn = figure("Accuracy on the test images.", comparison(intervals)) if len(intervals) > 1 else None
    sizes = {n for reading in readings if isinstance(n := _get(reading.result, "test", "n"), int)}
    remark = "These runs were tested on different images: their accuracies cannot be set against each other."
    return SideBySide(Sheet("Runs", _COLUMNS, rows, len(rows)), drawn, remark if len(sizes) > 1 else "")


def _row(reading: Reading) -> list[str]:
    result = reading.result
    choice = (_get(result, "choice", key) for key in ("layer", "head", "C"))
    return [
        reading.folder.name,
        reading.task,
        word("accuracy", _get(result, "test", "accuracy")),
        word("interval", _get(result, "test", "interval")),
        word("n", _get(result, "test", "n")),
        word("", backbone_names(result)),
        *(word("", value) for value in choice),
        word("seconds", _get(result, "seconds", "total")),
    ]


def _interval(reading: Reading) -> Interval | None:
    match reading.result.get("test"):
        case {"accuracy": int() | float() as value, "interval": [int() | float() as low, int() | float() as high]}:
            return Interval(reading.folder.name, value, low, high)
    return None


def _get(values: Any, *path: str) -> Any:
    for key in path:
        values = values.get(key) if isinstance(values, dict) else None
    return values
