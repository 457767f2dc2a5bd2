"""Checks of what a caller passes to a function: one sentence each, with what was given and what to use."""

from __future__ import annotations

import math
import os
from collections.abc import Collection, Iterable, Mapping
from numbers import Integral, Real
from pathlib import Path
from typing import Any

from vitrail.errors import BadSetting

MOST_SHOWN = 60  # characters of a value in a message
LARGEST_SEED = 2**32 - 1  # NumPy's
LARGEST_SAMPLE_SEED = 2**63 - 1  # torch takes 64 bits, and image k has the seed + k
LONGEST_NAME, LONGEST_PATH = 255, 4095  # bytes, of the usual file systems


def check_number(
    name: str,
    value: Any,
    *,
    least: float = -math.inf,
    most: float = math.inf,
    above: float = -math.inf,
    below: float = math.inf,
    unit: str = "",
) -> None:
    """Raises `BadSetting` unless `value` is a finite number, in [least, most] and in (above, below)."""
    ok = isinstance(value, Real) and not isinstance(value, bool) and math.isfinite(value)  # NumPy's numbers, too
    if not (ok and least <= value <= most and above < value < below):
        words = {"of at least": least, "above": above, "at most": most, "below": below}
        limits = [f"{word} {limit:g}" for word, limit in words.items() if math.isfinite(limit)]
        wanted = " ".join(filter(None, ("a number", " and ".join(limits)))) + (f", {unit}" if unit else "")
        raise BadSetting(f"{name} must be {wanted}; got {describe(value)}.")


def check_count(name: str, value: Any, *, least: int = 1, most: int | None = None) -> None:
    """Raises `BadSetting` unless `value` is a whole number, in [least, most]."""
    ok = isinstance(value, Integral) and not isinstance(value, bool)
    if not ok or value < least or (most is not None and value > most):
        limit = f"from {least} to {most}" if most is not None else f"of {least} or more"
        raise BadSetting(f"{name} must be a whole number {limit}; got {describe(value)}.")


def check_seed(name: str, value: Any, *, most: int = LARGEST_SEED) -> None:
    """Raises `BadSetting` unless `value` is a seed that all sources of random numbers take."""
    check_count(name, value, least=0, most=most)


def check_choice(name: str, value: Any, choices: Collection[str]) -> None:
    """Raises `BadSetting` unless `value` is one of the `choices`."""
    if not isinstance(value, str) or value not in choices:
        raise BadSetting(f"{name} must be one of {', '.join(choices)}; got {describe(value)}.")


def check_path(name: str, value: Any) -> None:
    """Raises `BadSetting` unless `value` is a path that a system can have.

    An empty one is none: it would be the working directory.
    """
    if not isinstance(value, str | os.PathLike) or (isinstance(value, str) and not value.strip()):
        raise BadSetting(f"{name} must be a path; got {describe(value)}. Use a path; '.' is the working directory.")
    try:
        text = os.fsencode(value)
    except UnicodeEncodeError:  # half of a surrogate pair, which no name has
        text = b"\0"
    if b"\0" in text or len(text) > LONGEST_PATH or max(map(len, text.split(b"/"))) > LONGEST_NAME:
        raise BadSetting(
            f"{name} must be a path whose names have at most {LONGEST_NAME} bytes, without NUL; got {describe(value)}."
        )


def paths_of(name: str, given: Any) -> list[Path]:
    """One path, or a list of them, as a list of checked paths.

    Raises:
        BadSetting: neither.
    """
    paths = [given] if isinstance(given, str | os.PathLike) else given
    if isinstance(paths, bytes | Mapping) or not isinstance(paths, Iterable):
        raise BadSetting(f"{name} must be a path or a list of paths; got {describe(given)}.")
    paths = list(paths)
    for path in paths:
        check_path(name, path)
    return [Path(path) for path in paths]


def describe(value: Any) -> str:
    """What was given, in a few words: the shape of an array or a tensor, the beginning of anything else."""
    shape = getattr(value, "shape", None)
    if shape is not None:
        kind = "an array" if type(value).__name__ == "ndarray" else f"a {type(value).__name__.lower()}"
        return f"{kind} {tuple(shape)} of {str(getattr(value, 'dtype', 'unknown type')).removeprefix('torch.')}"
    text = " ".join(repr(value).split())
    return text if len(text) <= MOST_SHOWN else f"{text[:MOST_SHOWN]}…"
