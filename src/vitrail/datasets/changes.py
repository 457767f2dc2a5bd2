"""How the images of now differ from those of a run, by what they hold: `tables/files.csv` says what that was."""

from __future__ import annotations

import csv
import hashlib
import io
import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from vitrail.errors import BadImage
from vitrail.events import Table
from vitrail.image_files import read_bytes
from vitrail.reading import LIMITS, read_text
from vitrail.tables import unquote_formula

Row = Sequence[str]
"""File, class, part and content of an image; the content as the first 16 hexadecimal digits of a sha256."""

COLUMNS = ("file", "class", "part", "sha256")


@dataclass(frozen=True)
class Changes:
    """How some images differ from those of a run; false where they do not.

    Attributes:
        total: images of the run.
        changed: those of another content or class under the same name.
        missing: those that are no longer there.
        new: images that the run did not have.
    """

    total: int
    changed: int
    missing: int
    new: int

    def __bool__(self) -> bool:
        return bool(self.changed or self.missing or self.new)

    def line(self) -> str:
        """Such as "3 of 512 images changed, 2 are missing, 1 is new"."""
        if self.changed + self.missing == self.total:
            return f"none of its {self.total:,} images is among them"
        counts = ((self.changed, "changed"), (self.missing, "missing"), (self.new, "new"))
        found = [(n, word) for n, word in counts if n]
        if not found:
            return "the same images in another order"
        verbs = [f"{n:,} {'' if word == 'changed' else 'is ' if n == 1 else 'are '}{word}" for n, word in found]
        first = verbs[0].replace(" ", f" of {self.total:,} images ", 1) if found[0][1] != "new" else verbs[0]
        return ", ".join([first, *verbs[1:]])


def files_table(rows: Sequence[Row]) -> Table:
    """The table of a run by which its images are known again."""
    return Table("files", "Images", COLUMNS, rows, prominent=False)


def recorded_rows(run: Path) -> list[Row] | None:
    """The images of a run; None: it does not say, or its table is damaged."""
    try:
        text = read_text(run / "tables" / "files.csv", LIMITS["run table"], within=run)
        columns, *rows = csv.reader(io.StringIO(text, newline=""))
    except (OSError, ValueError, csv.Error):
        return None
    whole = tuple(columns) == COLUMNS and all(len(row) == len(COLUMNS) for row in rows)
    return [tuple(map(unquote_formula, row)) for row in rows] if whole else None


def learned_from(run: Path, files: Sequence[Path]) -> int:
    """How many of these images hold what a training image of a run holds; 0 where the run does not say what they hold.

    Files that can no longer be read do not count.
    """
    contents = {row[3] for row in recorded_rows(run) or () if row[2] == "train"}
    return sum(_content(file) in contents for file in files) if contents else 0


def _content(file: Path) -> str:
    try:
        return hashlib.sha256(read_bytes(file)).hexdigest()[:16]
    except BadImage:
        return ""


def recorded_changes(old: Path, new: Path) -> Changes | None:
    """How the images of one run differ from those of an earlier one; None: one does not say what they hold."""
    before, after = recorded_rows(old), recorded_rows(new)
    return None if before is None or after is None else changes(before, after)


def changes(old: Sequence[Row], new: Sequence[Row]) -> Changes:
    """How images differ from earlier ones, wherever they lie; an image under another name is the same image."""
    before, after = _by_name(old), _by_name(new)
    gone, added = (Counter((row[1], row[3]) for row in rows) for rows in (old, new))
    gone, added = gone - added, added - gone
    changed = sum(1 for name, image in before.items() if image in gone and after.get(name) in added)
    return Changes(len(old), changed, gone.total() - changed, added.total() - changed)


def _by_name(rows: Sequence[Row]) -> dict[str, tuple[str, str]]:
    """Class and content by the name below the folder that holds all."""
    folders = {os.path.dirname(row[0]) for row in rows}
    root = os.path.commonpath(folders) if folders and len({os.path.isabs(each) for each in folders}) == 1 else ""
    return {os.path.relpath(row[0], root) if root else row[0]: (row[1], row[3]) for row in rows}
