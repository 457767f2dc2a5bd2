"""Which values of two results differ, without those that describe the machine or name a folder."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

MEASURED = {
    *("seconds", "images_per_second", "run", "computed", "engines", "device", "feature_precision"),
    *("evaluation_share", "speedup", "warning"),
}
"""Keys that describe the machine and its speed, not the result."""

PLACES = {"source", "generator", "reason"}
"""Keys whose texts name folders: the same images in another place are the same data."""

FILES = {"file", "files", "train", "test"}
"""Keys whose texts name files: their last part counts."""


def differences(old: dict[str, Any], new: dict[str, Any]) -> set[str]:
    """The keys whose values are not bit-identical, without those that describe the machine or name a folder."""
    first, second = _outcome(old), _outcome(new)
    return {key for key in first.keys() | second.keys() if first.get(key) != second.get(key)}


def _outcome(value: Any) -> Any:
    """The values without those that describe the machine, in nested lists and objects too; files by their names."""
    if isinstance(value, dict):
        return {
            key: _last_parts(inner) if key in FILES else _outcome(inner)
            for key, inner in value.items()
            if key not in MEASURED | PLACES
        }
    return [_outcome(inner) for inner in value] if isinstance(value, list) else value


def _last_parts(value: Any) -> Any:
    if isinstance(value, list):
        return [_last_parts(inner) for inner in value]
    return Path(value).name if isinstance(value, str) else _outcome(value)


def counted(key: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> str:
    """A key whose values differ; of a list, such as that of the images, in how many entries."""
    first, second = _outcome(old.get(key)), _outcome(new.get(key))
    if not (isinstance(first, list) and isinstance(second, list) and len(first) == len(second)):
        return key
    return f"{key} ({sum(a != b for a, b in zip(first, second, strict=True)):,} of {len(first):,})"
