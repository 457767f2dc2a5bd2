"""What came of one shard, and its file: there whole, or not there.

A part of rows only is a file of JSON lines, of which the first says what it is of; one with tensors is a safetensors
file, whose tensor `rows` holds the same lines.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load, save

from vitrail.errors import BadRun
from vitrail.files import write_bytes
from vitrail.image_files import display_name

LINES, TENSORS = ".jsonl", ".safetensors"


@dataclass(frozen=True)
class Part:
    """What came of the pictures of one shard.

    Attributes:
        about: what it is of, and what holds for all its pictures; JSON values.
        rows: one for each picture that could be read; JSON values.
        skipped: the others: `file` and `reason`.
        tensors: (n, ...), a row for each of `rows`.
    """

    about: Mapping[str, Any]
    rows: Sequence[Mapping[str, Any]] = field(repr=False)
    skipped: Sequence[Mapping[str, str]] = ()
    tensors: Mapping[str, np.ndarray] = field(default_factory=dict, repr=False)


def write_part(part: Part, stem: Path) -> Path:
    """Keeps a part; its file's name is `stem` with the suffix of its kind.

    Raises:
        CannotWrite: the disk is full, read-only, ...
    """
    head = {**part.about, "rows": len(part.rows), "skipped": list(part.skipped)}
    lines = [json.dumps(line, ensure_ascii=False, allow_nan=False) for line in (head, *part.rows)]
    text = "\n".join(lines).encode("utf-8", errors="backslashreplace") + b"\n"
    if not part.tensors:
        path = stem.with_name(stem.name + LINES)
        write_bytes(path, text)
        return path
    tensors = {name: np.asarray(value, order="C") for name, value in part.tensors.items()}
    path = stem.with_name(stem.name + TENSORS)
    write_bytes(path, save({**tensors, "rows": np.frombuffer(text, np.uint8)}))
    return path


def part_file(stem: Path) -> Path | None:
    """The file of a part that is there."""
    kinds = (stem.with_name(stem.name + suffix) for suffix in (LINES, TENSORS))
    return next((path for path in kinds if path.is_file()), None)


def read_part(path: Path) -> Part:
    """What was kept.

    Raises:
        BadRun: the file is damaged, or cannot be read.
    """
    try:
        data = path.read_bytes()
        tensors = load(data) if path.suffix == TENSORS else {}
        text = tensors.pop("rows").tobytes() if tensors else data
        head, *rows = [json.loads(line) for line in text.decode().split("\n") if line]
        skipped = head.pop("skipped")
        if len(rows) != head["rows"] or any(len(value) != len(rows) for value in tensors.values()):
            raise ValueError("rows are missing")
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError, SafetensorError) as error:
        reason = " ".join(str(error).split())[:200]
        raise BadRun(
            f"The shard '{display_name(path)}' is damaged ({reason}); remove it and run again: only it is made anew."
        ) from None
    return Part(head, rows, skipped, tensors)
