"""The column of a table that says which part each image is in."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from vitrail.datasets.parts import part_named
from vitrail.tables import column_among, rows_of

PART_COLUMNS = ("part", "split", "subset", "partition")
"""Columns that hold the part, in any case; the first one that is there does."""

SO, NOT_SO = {"1", "true", "yes", "1.0"}, {"0", "-1", "false", "no", "0.0", "-1.0"}
LOOKED_AT = 100  # rows that speak against most columns

_FLAG = re.compile(r"is[\W_]*(.+)", re.IGNORECASE)


@dataclass(frozen=True)
class PartColumn:
    """A column of parts.

    Attributes:
        flag: the part of the rows that say yes, of a column such as `is_train`; None: the rows name parts.
        note: what is said where the column's name alone does not show that it is one.
    """

    name: str
    flag: str | None = None
    note: str = ""

    def part(self, text: str) -> str | None:
        """The part that a value means: "train", "val" or "test"; None: it means none."""
        if self.flag is None:
            return part_named(text)
        other = "test" if self.flag == "train" else "train"
        return self.flag if text.lower() in SO else other if text.lower() in NOT_SO else None


def find_part_column(table: Path, columns: Sequence[str]) -> PartColumn | None:
    """The column among these that holds parts, by its name or because nothing else is in it; None: there is none.

    Raises:
        BadFolder: the table cannot be read.
    """
    named = column_among(columns, PART_COLUMNS)
    if named is not None:
        return PartColumn(named)
    candidates = [_candidate(name) for name in columns if name]
    for rows in (LOOKED_AT, None):
        candidates = [each for each in candidates if _holds_parts(table, each, rows)]
    return next(iter(candidates), None)


def _candidate(name: str) -> PartColumn:
    match = _FLAG.fullmatch(name.strip())
    note = f"The column {name!r} says which part each image is in."
    return PartColumn(name, part_named(match[1]) if match else None, note)


def _holds_parts(table: Path, column: PartColumn, rows: int | None) -> bool:
    """Whether the first `rows` (None: all) of a column are parts; all of it holds images to learn from, and others."""
    parts = set()
    for number, (text,) in enumerate(rows_of(table, [column.name])):
        if number == rows:
            return True
        part = column.part(text)
        if part is None:
            return False
        parts.add(part)
    return "train" in parts and len(parts) > 1
