"""The column of a table that says which part each image is in."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from vitrail.datasets.parts import part_among, part_named
from vitrail.errors import BadFolder
from vitrail.formatting import display_name
from vitrail.tables import column_among, rows_of
from vitrail.validation import describe

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
    """

    name: str
    flag: str | None = None

    def part(self, text: str) -> str | None:
        """The part that a value means: "train", "val" or "test"; None: it means none."""
        if self.flag is None:
            return part_named(text) or part_among(text)
        other = "test" if self.flag == "train" else "train"
        return self.flag if text.lower() in SO | {"y", "t"} else other if text.lower() in NOT_SO | {"n", "f"} else None


def is_part_flag(name: str) -> bool:
    """Whether a column's name is such as `is_train`."""
    return _candidate(name).flag is not None


def find_part_column(table: Path, columns: Sequence[str]) -> tuple[PartColumn | None, list[str]]:
    """The column among these that holds parts, by its name or because nothing else is in it; and what is to be said.

    Raises:
        BadFolder: the table cannot be read, or two columns such as `is_valid` and `is_test` hold parts.
    """
    named = column_among(columns, PART_COLUMNS)
    if named is not None:
        return PartColumn(named), []
    kept, notes = [], []
    for column in (_candidate(name) for name in columns if name):
        wrong = _first_that_is_none(table, column)
        if wrong is None:
            kept.append(column)
        elif wrong:
            notes.append(f"The column {column.name!r} looks like one of parts, but {wrong}: it is not used.")
    flags = [repr(column.name) for column in kept if column.flag]
    if len(flags) > 1:
        raise BadFolder(
            f"The columns {' and '.join(flags)} of '{display_name(table.name)}' each say which part an image is in. "
            "Use one column 'part' with train, val or test."
        )
    if not kept:
        return None, notes
    return kept[0], [f"The column {kept[0].name!r} says which part each image is in.", *notes]


def _candidate(name: str) -> PartColumn:
    match = _FLAG.fullmatch(name.strip())
    return PartColumn(name, part_named(match[1]) if match else None)


def _first_that_is_none(table: Path, column: PartColumn) -> str | None:
    """None if a column holds parts, train among them, and nothing else; the first row that speaks against it.

    Empty where most of its first rows do, as in columns of anything else.
    """
    parts, wrong, rows = set[str](), [], 0
    for rows, (text,) in enumerate(rows_of(table, [column.name]), 1):
        part = column.part(text)
        if part is None:
            wrong.append(f"row {rows} has {describe(text)}")
        else:
            parts.add(part)
        if len(wrong) > rows / 2 and rows >= min(LOOKED_AT, 2):
            return ""
    if "train" not in parts or len(parts) < 2:
        return ""
    return wrong[0] if wrong else None
