"""The content of a result.json arranged for a page: highlights, all single values, and tables.

No task needs code here, since every value of a result is shown; the highlights are those of `transfer`.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from vitrail.formatting import count
from vitrail.report.contents import ROWS_SHOWN, ReportTable
from vitrail.report.values import format_key, format_value, is_leaf, is_records

_OMITTED = ("task", "run")  # both are in the page's head
_TOP_RANKS = 3  # columns for a ranked list


@dataclass(frozen=True)
class Highlight:
    """A value in large type: its name, the value, and a remark needed to interpret it."""

    name: str
    value: str
    remark: str = ""


def highlights(result: Mapping[str, Any]) -> list[Highlight]:
    """The most important values of a classifier, without those that are lacking; of other runs none."""
    if not _mapping(result, "test"):
        return []
    test, choice = (_mapping(result, key) for key in ("test", "choice"))
    seconds = _mapping(result, "seconds")
    stages = [f"{format_key(key)} {format_value('seconds', value)}" for key, value in seconds.items() if key != "total"]
    layer = f"layer {choice['layer']}" if "layer" in choice else ""
    rows = [
        Highlight("test accuracy", format_value("accuracy", test.get("accuracy")), _accuracy_remark(test)),
        Highlight("backbone", format_value("", backbone_names(result)), layer),
        Highlight("C", format_value("C", choice.get("C")), f"head {choice['head']}" if "head" in choice else ""),
        Highlight("time", format_value("seconds", seconds.get("total")), ", ".join(stages)),
        Highlight("images per second", format_value("", result.get("images_per_second"))),
    ]
    return [row for row in rows if row.value not in ("–", "")]


def backbone_names(result: Mapping[str, Any]) -> str:
    """The names of a run's networks, comma-separated; empty if the result contains none."""
    networks = result.get("backbone")
    named = [network for network in networks if isinstance(network, Mapping)] if isinstance(networks, list) else []
    return ", ".join(str(network.get("name", "")) for network in named)


def leaf_values(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Every single value of an object and of the objects in it, under its dotted key."""
    for key, value in values.items():
        path = f"{prefix}{key}"
        if isinstance(value, Mapping):
            yield from leaf_values(value, f"{path}.")
        elif is_leaf(value) and path not in _OMITTED:
            yield path, format_value(path, value)


def record_tables(values: Mapping[str, Any], prefix: str = "") -> Iterator[ReportTable]:
    """Every list of objects as a table, one row per object."""
    for key, value in values.items():
        path = f"{prefix}{key}"
        if isinstance(value, Mapping):
            yield from record_tables(value, f"{path}.")
        elif is_records(value):
            yield _table(path, value)


def _table(title: str, records: Sequence[Mapping[str, Any]]) -> ReportTable:
    cells = [dict(_cells(record)) for record in records[:ROWS_SHOWN]]
    columns = list(dict.fromkeys(key for row in cells for key in row))  # in order of appearance, each once
    rows = [[row.get(column, "–") for column in columns] for row in cells]
    return ReportTable(format_key(title), [format_key(column) for column in columns], rows, len(records))


def _cells(record: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    for key, value in record.items():
        path = f"{prefix}{key}"
        if isinstance(value, Mapping):
            yield from _cells(value, f"{path}.")
        elif is_records(value):  # ranked predictions, as in `top`: one column per rank
            yield from ((f"{path} {rank}", _ranked(one)) for rank, one in enumerate(value[:_TOP_RANKS], 1))
        else:
            yield path, format_value(path, value)


def _ranked(record: Mapping[str, Any]) -> str:
    return " · ".join(format_value(key, value) for key, value in record.items() if key != "index")


def _accuracy_remark(test: Mapping[str, Any]) -> str:
    """The confidence interval of an accuracy and the number of test images."""
    parts = [f"95 % interval {format_value('interval', test['interval'])}"] if "interval" in test else []
    if isinstance(size := test.get("n"), int):
        parts.append(count(size, "image"))
    copies, rest = test.get("copies"), _mapping(test, "without_copies")
    if isinstance(copies, int) and copies:
        without = format_value("accuracy", rest.get("accuracy"))
        parts.append(f"{copies:,} of them copies of training images: {without} without those")
    return ", ".join(parts)


def _mapping(values: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = values.get(key)
    return value if isinstance(value, Mapping) else {}
