"""Numbers as people read them: the one place that turns a value into text, for terminals, plots, pages and reports."""

from __future__ import annotations

import math
import os
import shlex

GROUPED_FROM = 1000  # numbers from here on are written without decimals, their thousands in groups


def percent(share: float) -> str:
    """A share in [0, 1] with one decimal; "0.0 %" and "100.0 %" are said only of what is exactly that."""
    if 0 < share < 0.0005:
        return "< 0.1 %"
    if 0.9995 <= share < 1:
        return "> 99.9 %"
    return f"{100 * share:.1f} %"


def interval(low: float, high: float) -> str:
    """A confidence interval of shares: "91.8 to 94.4 %"."""
    return f"{100 * low:.1f} to {100 * high:.1f} %"


def number(value: float | None) -> str:
    """Four significant digits, thousands in groups; "–" for None and "undefined" for what is no number."""
    if value is None:
        return "–"
    if isinstance(value, int):
        return f"{value:,}"
    if not math.isfinite(value):
        return "undefined"
    return f"{value:,.0f}" if abs(value) >= GROUPED_FROM else f"{value + 0.0:.4g}"  # no "-0"


def duration(seconds: float) -> str:
    """A time in at most two units: "0.38 s", "12.4 s", "3 min 20 s", "2 h 5 min"."""
    if seconds < 1:
        return f"{seconds:.2g} s"
    if seconds < 60:
        return f"{seconds:.3g} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"


def count(number_of: int, noun: str, plural: str = "") -> str:
    """A number of things: "1 image", "3,024 images"."""
    return f"{number_of:,} {noun if number_of == 1 else plural or noun + 's'}"


def command(*words: object) -> str:
    """A command of ours as it can be pasted into a shell, e.g. `vitrail predict 'my run'`."""
    return shlex.join(("vitrail", *map(str, words)))


def display_name(path: str | os.PathLike[str]) -> str:
    """Printable text for a path: control characters and bytes that are not UTF-8 become backslash escapes."""
    text = os.fspath(path)
    if text.isprintable():  # as nearly always, and each image that is read asks
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
