"""Values of a result as text: the unit follows from the end of the key."""

from collections.abc import Mapping, Sequence
from typing import Any

from vitrail.formatting import duration, interval, number, percent

_SHARES = ("accuracy", "probability", "precision", "recall", "agreement", "f1")
_IDENTIFIERS = ("seed", "index")  # integers that are not counts, so their digits are not grouped
_MAX_LISTED = 12  # values of a list that are written out


def format_value(key: str, value: Any) -> str:
    """A value as text: shares as percentages, seconds as durations, other numbers with four significant digits."""
    last = key.rsplit(".", 1)[-1]
    match value:
        case None:
            return "–"
        case bool():
            return "yes" if value else "no"
        case int() | float():
            return _format_number(key, last, value)
        case Mapping():
            return ", ".join(f"{name} {format_value(f'{key}.{name}', part)}" for name, part in value.items())
        case [int() | float() as low, int() | float() as high] if last in ("interval", "interval_95"):
            return interval(low, high)
        case list() | tuple():
            return _format_list(key, value)
    return str(value)


def is_leaf(value: Any) -> bool:
    """Whether a value fits on one line: neither an object nor a list of objects."""
    return not isinstance(value, Mapping) and not is_records(value)


def is_records(value: Any) -> bool:
    """Whether a value is a list of objects, which is shown as a table."""
    return isinstance(value, list) and bool(value) and all(isinstance(one, Mapping) for one in value)


def format_key(key: str) -> str:
    """A key in words: `curve_layer` as "curve layer"."""
    return key.replace("_", " ").replace(".", " · ")


def _format_number(key: str, last: str, value: float) -> str:
    if last.endswith(_SHARES) and 0 <= value <= 1:
        return percent(value)
    if "seconds" in key and "per_second" not in key and 0 <= value < float("inf"):
        return duration(value)
    return str(value) if last in _IDENTIFIERS else number(value)


def _format_list(key: str, values: Sequence[Any]) -> str:
    listed = ", ".join(format_value(key, value) for value in values[:_MAX_LISTED])
    return listed if len(values) <= _MAX_LISTED else f"{listed}, … ({len(values)} values)"
