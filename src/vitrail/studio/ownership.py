"""Values that belong to one visitor of the page: files that were uploaded, and runs made of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class Private(str):
    """A path that only the visitor who uploaded it, or whose run it is, may see.

    Whatever takes a path from an upload widget or opens a private run gives it this type, and a job is private if one
    of its settings has it. So who may see a run follows from the origin of its inputs, never from the names of paths.
    """

    __slots__ = ()


def contains_private(settings: Any) -> bool:
    """Whether a value is private, or a value in the lists and mappings it holds."""
    if isinstance(settings, Mapping):
        return any(map(contains_private, settings.values()))
    if isinstance(settings, (list, tuple, set, frozenset)):
        return any(map(contains_private, settings))
    return isinstance(settings, Private)
