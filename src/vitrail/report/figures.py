"""What a result.json says, arranged for reading: the figures that matter first, then all others, then its tables.

A task needs no line here: whatever its result holds is shown. `transfer` has one, for what everybody looks at first.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from vitrail.report.reading import ROWS_SHOWN, Sheet
from vitrail.report.wording import heading, is_leaf, is_records, word

_SHOWN_ELSEWHERE = ("task", "run")


@dataclass(frozen=True)
class Fact:
    """A figure set large: its name, its value, and a line of what must be known to read it."""

    name: str
    value: str
    remark: str = ""


def facts(result: Mapping[str, Any]) -> list[Fact]:
    """The few figures to look at first; those that the result does not hold are left out."""
    test, choice = (_mapping(result, key) for key in ("test", "choice"))
    seconds = _mapping(result, "seconds")
    parts = ", ".join(f"{heading(part)} {word('seconds', value)}" for part, value in seconds.items() if part != "total")
    rows = [
        Fact("test accuracy", word("accuracy", test.get("accuracy")), _accuracy_remark(test)),
        Fact("backbone", word("", backbone_names(result)), f"layer {choice['layer']}" if "layer" in choice else ""),
        Fact("C", word("C", choice.get("C")), f"head {choice['head']}" if "head" in choice else ""),
        Fact("time", word("seconds", seconds.get("total")), parts),
        Fact("images per second", word("", result.get("images_per_second"))),
    ]
    return [row for row in rows if row.value not in ("–", "")]


def backbone_names(result: Mapping[str, Any]) -> str:
    """The networks of a run, by name; nothing if the result holds none."""
    networks = result.get("backbone")
    named = [network for network in networks if isinstance(network, Mapping)] if isinstance(networks, list) else []
    return ", ".join(str(network.get("name", "")) for network in named)


def lines(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Every single value of an object and of the objects in it, under its dotted key."""
    for key, value in values.items():
        path = f"{prefix}{key}"
        if isinstance(value, Mapping):
            yield from lines(value, f"{path}.")
        elif is_leaf(value) and path not in _SHOWN_ELSEWHERE:
            yield path, word(path, value)


def sheets(values: Mapping[str, Any], prefix: str = "") -> Iterator[Sheet]:
    """Every list of objects as a table, one row per object."""
    for key, value in values.items():
        path = f"{prefix}{key}"
        if isinstance(value, Mapping):
            yield from sheets(value, f"{path}.")
        elif is_records(value):
            yield _sheet(path, value)


def _sheet(title: str, records: Sequence[Mapping[str, Any]]) -> Sheet:
    cells = [dict(_cells(record)) for record in records[:ROWS_SHOWN]]
    columns = list(dict.fromkeys(key for row in cells for key in row))  # in order of appearance, each once
    rows = [[row.get(column, "–") for column in columns] for row in cells]
    return Sheet(heading(title), [heading(column) for column in columns], rows, len(records))


def _cells(record: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    for key, value in record.items():
        path = f"{prefix}{key}"
        if isinstance(value, Mapping):
            yield from _cells(value, f"{path}.")
        elif is_records(value):
            # Ranked guesses, as in `top`: one column for each rank.
            yield from ((f"{path} {rank}", _ranked(one)) for rank, one in enumerate(value[:3], 1))
        else:
            yield path, word(path, value)


def _ranked(record: Mapping[str, Any]) -> str:
    return " · ".join(word(key, value) for key, value in record.items() if key != "index")


def _accuracy_remark(test: Mapping[str, Any]) -> str:
    """How sure an accuracy is, and on how many images: without these two it says little."""
    said = [f"95 % interval {word('interval', test['interval'])}"] if "interval" in test else []
    return ", ".join([*said, *([f"{test['n']} images"] if "n" in test else [])])


def _mapping(values: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = values.get(key)
    return value if isinstance(value, Mapping) else {}
