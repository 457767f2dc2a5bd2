"""Checks of what a caller of GANs passes, beside those in `vitrail.validation`; one sentence each."""

from __future__ import annotations

import os
from collections.abc import Sequence
from difflib import get_close_matches
from typing import Any

from vitrail.errors import BadSetting, UnknownName
from vitrail.validation import check_count, describe

TRAINING_SEED = 2**32 - 1  # NumPy's largest
SAMPLING_SEED = 2**63 - 1  # torch takes 64 bits, and image k has the seed + k
DEVICES = ("auto", "cpu", "cuda", "mps")


def check_flag(name: str, value: Any, *, optional: bool = False) -> None:
    """Raises `BadSetting` unless `value` is True or False, or None where that is possible: "no" would count as True."""
    if not (isinstance(value, bool) or (optional and value is None)):
        choices = "True, False or None" if optional else "True or False"
        raise BadSetting(f"{name} must be {choices}; got {describe(value)}.")


def check_kind(name: str, value: Any, kind: type, use: str) -> None:
    """Raises `BadSetting`, which recommends `use`, unless `value` is a `kind`."""
    if not isinstance(value, kind):
        raise BadSetting(f"{name} must be a {kind.__name__}; got {describe(value)}. Use {use}.")


def check_choice(name: str, value: Any, choices: Sequence[str]) -> None:
    """Raises `UnknownName` unless `value` is one of `choices`."""
    if not (isinstance(value, str) and value in choices):
        near = get_close_matches(str(value), choices, n=1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        raise UnknownName(f"Unknown {name} {describe(value)}.{hint} Known: {', '.join(choices)}.")


def check_seed(name: str, value: Any, *, most: int = SAMPLING_SEED) -> None:
    """Raises `BadSetting` unless `value` is a seed that every source of random numbers takes."""
    check_count(name, value, least=0, most=most)


def check_device(name: str, value: Any) -> None:
    """Raises `BadSetting` unless `value` can name a device; whether there is one, `choose_device` says."""
    if not isinstance(value, str) or value.partition(":")[0] not in DEVICES:
        raise BadSetting(f"{name} must be auto, cpu, cuda, cuda:N or mps; got {describe(value)}. Use auto.")


def check_path(name: str, value: Any, *, optional: bool = False) -> None:
    """Raises `BadSetting` unless `value` is a path that can be looked up; something need not be there."""
    if optional and value is None:
        return
    if not isinstance(value, str | os.PathLike):
        raise BadSetting(f"{name} must be a path; got {describe(value)}. Use text or a pathlib.Path.")
    try:
        os.stat(value)
    except (FileNotFoundError, NotADirectoryError):
        pass  # who needs it says what is missing
    except (OSError, ValueError) as error:  # too long, not allowed, a null character
        reason = getattr(error, "strerror", None) or str(error)
        raise BadSetting(f"{name} cannot be used as a path ({reason}); got {describe(value)}. Use another.") from None
