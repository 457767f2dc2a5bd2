"""Images that a table lists: a row each, with its class or its attributes, and its part."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from vitrail.class_names import normal_name
from vitrail.datasets.dataset import Dataset, make_dataset
from vitrail.datasets.part_column import NOT_SO, SO, PartColumn, find_part_column, is_part_flag
from vitrail.errors import BadFolder, BadSetting
from vitrail.folder_walk import LeftOut, folders_in, list_folder
from vitrail.formatting import display_name
from vitrail.image_files import is_image_name, is_inside
from vitrail.tables import FILE_COLUMNS, column_among, columns_of, file_column, is_table, resolve_relative, rows_of

CLASS_COLUMNS = (
    *("class", "label", "class_name", "label_name", "category", "class_index", "target", "species", "breed", "name"),
)
"""Columns that may hold the class, in any case; the first one that is there does."""

USUAL = ("Male", "Young")  # of CelebA's 40: those that the lab asks for
LOOKED_AT = 100  # rows by which it is known where the images lie
NOT_THERE = "that the table lists, and are not there"


@dataclass(frozen=True)
class AttributeTable:
    """Files, and -1 or 1 for each attribute of each.

    Attributes:
        values: (n, A) float32.
        left_out: number of rows whose file is not there.
    """

    files: tuple[Path, ...]
    values: np.ndarray
    names: tuple[str, ...]
    left_out: LeftOut


def has_classes(table: Path) -> bool:
    """Whether a table has a column of classes."""
    return column_among(columns_of(table), CLASS_COLUMNS) is not None


def read_image_table(table: Path) -> Dataset:
    """The images of a table with a column of files and one of classes, and, if it has one, of parts.

    Rows whose file is not there, and those that repeat another, are left out. Classes that are whole numbers with a
    decimal point, as spreadsheets write them, are numbers without.

    Raises:
        BadFolder: the table cannot be read, lists no image that is there, or has no column of classes; or a row has no
            class, no part where others have one, another class than before, or a class but for case that another has.
    """
    columns, name = columns_of(table), display_name(table.name)
    files_in, class_in = file_column(table), column_among(columns, CLASS_COLUMNS)
    if class_in is None:
        raise BadFolder(
            f"The table '{name}' has no column 'class'; its columns are {', '.join(map(repr, columns))}. "
            "Use the columns 'file' and 'class'."
        )
    column, notes = find_part_column(table, [each for each in columns if each not in (files_in, class_in)])
    rows = _Rows(name, column, notes)
    for number, (file, label, *part) in enumerate(
        rows_of(table, [files_in, class_in, *([column.name] if column else [])]), 1
    ):
        rows.add(number, resolve_relative(table, file, number), label, part[0] if part else None)
    return rows.dataset()


class _Rows:
    """The rows so far, and what is wrong among them."""

    def __init__(self, table: str, column: PartColumn | None, notes: Sequence[str]) -> None:
        self._table, self._column, self._notes = table, column, notes
        self._files: dict[Path, tuple[int, str, str]] = {}  # row, class and part
        self._spelled: dict[str, tuple[int, str]] = {}  # a class in small letters: row, and as it stood there
        self._left_out = LeftOut()

    def add(self, row: int, file: Path, label: str, part: str | None) -> None:
        label = normal_name(label)
        if not label:
            raise BadFolder(f"Row {row} of '{self._table}' names no class; fill it in or remove it.")
        first, spelling = self._spelled.setdefault(label.lower(), (row, label))
        if spelling != label and len(label) > 1:
            raise BadFolder(
                f"Row {row} of '{self._table}' has the class {label!r}, and row {first} {spelling!r}. Use one spelling."
            )
        entry = (row, label, "" if part is None or self._column is None else self._part(self._column, row, part))
        if file in self._files:
            before = self._files[file]
            if before[1:] != entry[1:]:
                about = f"Rows {before[0]} and {row} of '{self._table}'"
                raise BadFolder(f"{about} differ about '{display_name(file.name)}'. Use one row for each image.")
            self._left_out["listed again"] += 1
        elif is_there(file):
            self._files[file] = entry
        else:
            self._left_out[NOT_THERE] += 1
            self._example = file

    def _part(self, column: PartColumn, row: int, text: str) -> str:
        part = column.part(text)
        if part is None:
            raise BadFolder(
                f"Row {row} of '{self._table}' has the part {text!r}, which is none. Use train, val or test."
            )
        return part

    def dataset(self) -> Dataset:
        if not self._files:
            if not self._left_out:
                raise BadFolder(f"The table '{self._table}' lists no image. Use a row for each.")
            raise BadFolder(
                f"None of the files that '{self._table}' lists is there, e.g. '{display_name(self._example)}'. "
                f"Use {_what_is_missing(self._example)}."
            )
        names = _without_decimals([label for _, label, _ in self._files.values()])
        parts = [part for _, _, part in self._files.values()]
        return make_dataset(list(self._files), names, parts, left_out=self._left_out, notes=self._notes)


def _what_is_missing(file: Path) -> str:
    """What helps where a file is not there: an ending, if there is one of the same name with it."""
    if file.parent.is_dir() and not is_image_name(file.name):
        full = next((each for each in list_folder(file.parent, LeftOut())[0] if each.stem == file.name), None)
        if full is not None:
            return f"names with their ending, such as '{display_name(full.name)}'"
    return "paths that begin at the table's folder"


def _without_decimals(names: list[str]) -> list[str]:
    whole = {name: name.removesuffix(".0") for name in set(names)}
    are_numbers = all(each.isascii() and each.isdecimal() for each in whole.values())
    return [whole[name] for name in names] if are_numbers and len(set(whole.values())) == len(whole) else names


def is_there(file: Path) -> bool:
    """Whether a file can be read, be it in a tar file."""
    try:
        return os.path.isfile(file) or is_inside(file)
    except (OSError, ValueError):  # a name longer than names can be; a null character
        return False


def find_attribute_table(root: Path, wanted: Sequence[str]) -> Path | None:
    """The table in a folder that says of its images what they are, with all that is wanted.

    It has a column of files, and others that hold nothing but so and not so; of several, the one with fewest columns.
    """
    found: dict[Path, int] = {}
    for path in sorted(root.iterdir()):
        if not path.is_dir() and is_table(path):
            columns = columns_of(path)
            files_in = column_among(columns, FILE_COLUMNS)
            if files_in and _are_attributes(path, _attributes_among(columns, files_in), wanted):
                found[path] = len(columns)
    return min(found, key=lambda path: found[path], default=None)


def read_attributes(table: Path, root: Path, wanted: Sequence[str]) -> AttributeTable:
    """The attributes of images that are looked for beside the table, in `root` and in each folder in it.

    Args:
        wanted: attributes; none: Male and Young where it has both, else all.
    Raises:
        BadSetting: it has no such attribute.
        BadFolder: it cannot be read, lists no file that is there, or holds another value than so or not so.
    """
    name, columns, files_in = display_name(table.name), columns_of(table), file_column(table)
    known = _attributes_among(columns, files_in)
    chosen = tuple(wanted) or (USUAL if set(USUAL) <= set(known) else tuple(known))
    unknown = sorted(set(chosen) - set(known))
    if unknown or not chosen:
        what = f"attribute {unknown[0]!r}" if unknown else "attribute"
        raise BadSetting(f"'{name}' has no {what}. It has: {', '.join(known) or 'none'}.")
    home = _home_of(table, root, files_in)
    left_out, values, example = LeftOut(), dict[Path, list[float]](), home
    for number, (file, *row) in enumerate(rows_of(table, [files_in, *chosen]), 1):
        path = resolve_relative(home / table.name, file, number)
        if is_there(path):
            values[path] = [_value(text, name, column) for text, column in zip(row, chosen, strict=True)]
        else:
            left_out[NOT_THERE], example = left_out[NOT_THERE] + 1, path
    if not values:
        why = f"lists no file that is there, e.g. '{display_name(example)}'" if left_out else "lists no image"
        raise BadFolder(f"'{name}' {why}. Use a line for each image that is there.")
    return AttributeTable(tuple(values), np.array(list(values.values()), np.float32), chosen, left_out)


def _attributes_among(columns: Sequence[str], files_in: str) -> list[str]:
    return [column for column in columns if column and column != files_in and not is_part_flag(column)]


def _home_of(table: Path, root: Path, files_in: str) -> Path:
    """The folder at which the paths of a table begin."""
    first = [file for (file,), _ in zip(rows_of(table, [files_in]), range(LOOKED_AT), strict=False)]
    homes: Iterator[Path] = iter([table.parent, root, *(folders_in(root) if root.is_dir() else [])])
    return next((home for home in homes if any(file and is_there(home / file) for file in first)), table.parent)


def _are_attributes(table: Path, names: Sequence[str], wanted: Sequence[str]) -> bool:
    """Whether there are such columns, all that are wanted among them, and their first rows say so or not so."""
    asked = wanted or names
    if not asked or not set(wanted) <= set(names):
        return False
    first = [row for row, _ in zip(rows_of(table, list(asked)), range(LOOKED_AT), strict=False)]
    return bool(first) and all(text.lower() in SO | NOT_SO for row in first for text in row)


def _value(text: str, table: str, name: str) -> float:
    if text.lower() not in SO | NOT_SO:
        raise BadFolder(f"'{table}' holds {text!r} under {name}. Use 1 and 0, or 1 and -1.")
    return 1.0 if text.lower() in SO else -1.0
