"""What came of one shard, and its file: there whole, or not there.

A part of rows only is a file of JSON lines, of which the first says what it is of and the sha256 of all there is; one
with tensors is a safetensors file, whose tensor `rows` holds the same lines. So a changed bit is noticed anywhere.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load, save

from vitrail.errors import BadRun, one_line
from vitrail.files import write_bytes
from vitrail.image_files import display_name
from vitrail.reading import LIMITS, read_bytes

LINES, TENSORS = ".jsonl", ".safetensors"


@dataclass(frozen=True)
class Part:
    """What came of the images of one shard.

    Attributes:
        about: what it is of, and what holds for all its images; JSON values.
        rows: one for each image that could be read; JSON values.
        skipped: the others: `file` and `reason`.
        tensors: (n, ...), a row for each of `rows`.
    """

    about: Mapping[str, Any]
    rows: Sequence[Mapping[str, Any]] = field(repr=False)
    skipped: Sequence[Mapping[str, str]] = ()
    tensors: Mapping[str, np.ndarray] = field(default_factory=dict, repr=False)


def write_part(part: Part, stem: Path, *, within: Path) -> Path:
    """Keeps a part; its file's name is `stem` with the suffix of its kind; `within` is the run folder.

    Raises:
        CannotWrite: the disk is full, read-only, ...
    """
    tensors = {name: np.asarray(value, order="C") for name, value in part.tensors.items()}
    rows = "".join(json.dumps(row, ensure_ascii=False, allow_nan=False) + "\n" for row in part.rows)
    about = {**part.about, "rows": len(part.rows), "skipped": list(part.skipped)}
    rest = rows.encode("utf-8", errors="backslashreplace")
    head = {"about": about, "sha256": _sha256(about, rest, tensors)}
    text = (
        json.dumps(head, ensure_ascii=False, allow_nan=False).encode("utf-8", errors="backslashreplace") + b"\n" + rest
    )
    path = stem.with_name(stem.name + (TENSORS if tensors else LINES))
    content = save({**tensors, "rows": np.frombuffer(text, np.uint8)}) if tensors else text
    write_bytes(path, content, within=within)
    return path


def _sha256(about: Mapping[str, Any], rows: bytes, tensors: Mapping[str, np.ndarray]) -> str:
    """Digest of what a part says, its tensors' names, kinds and shapes among it."""
    kinds = {name: [tensors[name].dtype.str, *tensors[name].shape] for name in sorted(tensors)}
    digest = hashlib.sha256(json.dumps([about, kinds], sort_keys=True).encode())
    digest.update(rows)
    for name in kinds:
        digest.update(np.ascontiguousarray(tensors[name]).data)
    return digest.hexdigest()


def part_file(stem: Path) -> Path | None:
    """The file of a part that is there."""
    kinds = (stem.with_name(stem.name + suffix) for suffix in (LINES, TENSORS))
    return next((path for path in kinds if path.is_file()), None)


def read_part(path: Path, *, within: Path) -> Part:
    """What was kept in the run folder `within`.

    Raises:
        BadRun: the file is damaged, or cannot be read.
    """
    try:
        data = read_bytes(path, LIMITS["shard"], within=within)
        tensors = load(data) if path.suffix == TENSORS else {}
        text = tensors.pop("rows").tobytes() if path.suffix == TENSORS else data
        first, _, rest = text.partition(b"\n")
        head = json.loads(first)
        if head["sha256"] != _sha256(head["about"], rest, tensors):
            raise ValueError("its bytes are not those that its first line counts")
        rows = [json.loads(line) for line in rest.splitlines()]
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError, SafetensorError) as error:
        reason = one_line(error)
        raise BadRun(
            f"The shard '{display_name(path)}' is damaged ({reason}); remove it and run again: only it is made anew."
        ) from None
    return Part(head["about"], rows, head["about"]["skipped"], tensors)
