"""Checks of what a caller of GANs passes, beside those in `vitrail.validation`; one sentence each."""

from __future__ import annotations

from typing import Any

from vitrail.errors import BadSetting
from vitrail.validation import check_path, describe

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


def check_device(name: str, value: Any) -> None:
    """Raises `BadSetting` unless `value` can name a device; `choose_device` says whether there is one.

    torch also knows devices without numbers ("meta").
    """
    if not isinstance(value, str) or value.partition(":")[0] not in DEVICES:
        raise BadSetting(f"{name} must be auto, cpu, cuda, cuda:N or mps; got {describe(value)}. Use auto.")


def check_optional_path(name: str, value: Any) -> None:
    """Raises `BadSetting` unless `value` is a path, or None."""
    if value is not None:
        check_path(name, value)
