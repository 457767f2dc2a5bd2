"""A table that says what each image of a folder is: `file` and a column a thing, 1 (so) or 0 or -1 (not so)."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from vitrail.errors import BadFolder, BadSetting, one_line
from vitrail.image_files import display_name
from vitrail.reading import open_lines

USUAL = ("Male", "Young")  # of CelebA's 40: those that the lab asks for
SO, NOT_SO = {"1", "true", "yes"}, {"0", "-1", "false", "no"}


@dataclass(frozen=True)
class AttributeTable:
    """Files, and -1 or 1 for each attribute of each, (N, A) float32."""

    files: tuple[Path, ...]
    values: Tensor
    names: tuple[str, ...]


def find_table(root: Path, wanted: Sequence[str]) -> Path | None:
    """The CSV file in `root` that has a column `file` and all that are wanted; the one with the fewest columns."""
    found = {path: _columns(path) for path in sorted(root.glob("*.csv"))}
    good = [path for path, columns in found.items() if "file" in columns and set(wanted) <= set(columns)]
    return min(good, key=lambda path: len(found[path]), default=None)


def read_table(table: Path, root: Path, wanted: Sequence[str]) -> AttributeTable:
    """The table, its files looked for in `root`, `root/images` and beside it.

    Args:
        wanted: attributes; none: Male and Young where it has both, else all.
    Raises:
        BadSetting: it has no such attribute.
        BadFolder: it cannot be read, names files that are not there, or holds another value than so or not so.
    """
    columns = _columns(table)
    if "file" not in columns:
        raise BadFolder(f"'{display_name(table)}' has no column 'file'. Use a first line such as 'file,Male,Young'.")
    known = [column for column in columns if column != "file"]
    chosen = tuple(wanted) or (USUAL if set(USUAL) <= set(known) else tuple(known))
    unknown = sorted(set(chosen) - set(known))
    if unknown or not chosen:
        what = f"attribute {unknown[0]!r}" if unknown else "attribute"
        raise BadSetting(f"'{display_name(table)}' has no {what}. It has: {', '.join(known) or 'none'}.")
    rows = _rows(table)
    home = next((home for home in (root, root / "images", table.parent) if _any_there(home, rows)), root)
    files = tuple(home / (row["file"] or "") for row in rows)
    missing = [file for file in files if not _there(file)]
    if missing or not files:
        named = (
            f"names {len(missing)} files that are not there, e.g. '{display_name(missing[0])}'"
            if missing
            else "is empty"
        )
        raise BadFolder(f"'{display_name(table)}' {named}. Use a line for each image that is there.")
    values = [[_value(row[name], table, name) for name in chosen] for row in rows]
    return AttributeTable(files, torch.tensor(values, dtype=torch.float32), chosen)


def _columns(table: Path) -> list[str]:
    with _read_as_table(table) as lines:
        return next(csv.reader(lines), [])


def _rows(table: Path) -> list[dict[str, str]]:
    with _read_as_table(table) as lines:
        return list(csv.DictReader(lines))


@contextmanager
def _read_as_table(table: Path) -> Iterator[Iterator[str]]:
    try:
        with open_lines(table) as lines:
            yield lines
    except (OSError, ValueError, csv.Error) as error:
        raise BadFolder(f"'{display_name(table)}' cannot be read as a table: {one_line(error)}.") from None


def _any_there(home: Path, rows: Sequence[dict[str, str]]) -> bool:
    return any(_there(home / (row["file"] or "?")) for row in rows[:100])


def _there(file: Path) -> bool:
    try:
        return file.is_file()
    except OSError:  # a name longer than names can be
        return False


def _value(text: str | None, table: Path, name: str) -> float:
    given = (text or "").strip().lower()
    if given not in SO | NOT_SO:
        raise BadFolder(f"'{display_name(table)}' holds {text!r} under {name}. Use 1 and 0, or 1 and -1.")
    return 1.0 if given in SO else -1.0
