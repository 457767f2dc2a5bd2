"""How the report writes a value: its unit follows from the end of its key."""

from collections.abc import Mapping, Sequence
from typing import Any

from vitrail.formatting import percent

_SHARES = ("accuracy", "probability", "precision", "recall", "agreement", "f1")
_LISTED = 12  # values of a list that are written out


def word(key: str, value: Any) -> str:
    """A value as text: shares in percent, seconds with their unit, other numbers with four figures."""
    last = key.rsplit(".", 1)[-1]
    match value:
        case None:
            return "–"
        case bool():
            return "yes" if value else "no"
        case int() | float():
            return _number(key, last, value)
        case Mapping():
            return ", ".join(f"{name} {word(f'{key}.{name}', part)}" for name, part in value.items())
        case [low, high] if last in ("interval", "interval_95"):
            return f"{word('accuracy', low)} to {word('accuracy', high)}"
        case list() | tuple():
            return _list(key, value)
    return str(value)


def is_leaf(value: Any) -> bool:
    """Whether a value is written on one line: no object, no list of objects."""
    return not isinstance(value, Mapping) and not is_records(value)


def is_records(value: Any) -> bool:
    """Whether a value is a list of objects, which is shown as a table."""
    return isinstance(value, list) and bool(value) and all(isinstance(one, Mapping) for one in value)


def heading(key: str) -> str:
    """A key in words: `curve_layer` as "curve layer"."""
    return key.replace("_", " ").replace(".", " · ")


def _number(key: str, last: str, value: float) -> str:
    if last.endswith(_SHARES) and 0 <= value <= 1:
        return percent(value)
    if "seconds" in key and "per_second" not in key:
        return f"{value:.1f} s" if value >= 1 else f"{value:.3g} s"
    if isinstance(value, int):
        return str(value)
    return f"{value:,.0f}" if abs(value) >= 1e4 else f"{value:.4g}"


def _list(key: str, values: Sequence[Any]) -> str:
    shown = ", ".join(word(key, value) for value in values[:_LISTED])
    return shown if len(values) <= _LISTED else f"{shown}, … ({len(values)} values)"
