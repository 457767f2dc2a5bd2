"""Images that a table lists, left out of a data set: `transfer --leave-out suspects.csv`."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path, PurePath

import numpy as np

from vitrail.datasets.dataset import Dataset
from vitrail.errors import BadFolder, BadSetting
from vitrail.folder_walk import LeftOut
from vitrail.formatting import count, display_name
from vitrail.tables import file_column, rows_of
from vitrail.validation import check_path

LONGEST = 4096  # characters of a path that can be there


def leave_out_listed(data: Dataset, table: Path, root: Path) -> Dataset:
    """The data without the images that a table lists in its column of files, such as `suspects.csv` of a check.

    Files are named as outputs name them, or by a path that begins at the working directory or at the table. Where none
    of them is there any more, as the data have moved since, the end of all paths that leads to images below the data
    counts. Rows that name no image of the data, or one of several, are counted in a note.

    Args:
        root: the data, as they were given.
    Raises:
        BadSetting: the table cannot be read, or none of its files is among the images.
    """
    check_path("leave_out", table)
    name = display_name(table.name)
    try:
        listed = sorted({file for (file,) in rows_of(table, (file_column(table),)) if file})
    except BadFolder as error:
        raise BadSetting(str(error)) from None
    images, notes = _Images(data), list(data.notes)
    found = {file: row for file in listed if (row := images.row_of(file, table.parent)) is not None}
    unknown = [file for file in listed if file not in found]
    if unknown and (moved := images.moved(unknown, table.parent, root)):
        notes.append(f"The files in '{name}' are no longer there: those below '{display_name(root)}' are meant.")
        found, unknown = found | moved, []
    if unknown and not found:
        raise BadSetting(
            f"None of the {count(len(listed), 'file')} in '{name}' is among the images of '{display_name(root)}', "
            f"e.g. '{display_name(unknown[0])}'. Use the table of a check of these images."
        )
    if unknown:
        verb = "is" if len(unknown) == 1 else "are"
        notes.append(
            f"{count(len(unknown), 'file')} in '{name}' {verb} none of these images, e.g. '{display_name(unknown[0])}'."
        )
    return _without(data, sorted(set(found.values())), name, notes)


def _without(data: Dataset, rows: Sequence[int], table: str, notes: list[str]) -> Dataset:
    held_out = sum(data.parts[row] in ("val", "test") for row in rows)
    if held_out:
        notes.append(f"{count(held_out, 'image')} to test with {'is' if held_out == 1 else 'are'} left out too.")
    taken = np.setdiff1d(np.arange(len(data)), rows)
    left_out = LeftOut(data.left_out)
    left_out[f"listed in {table}"] += len(rows)
    return replace(
        data,
        files=tuple(data.files[row] for row in taken),
        labels=data.labels[taken],
        parts=[data.parts[row] for row in taken],
        left_out=+left_out,
        notes=tuple(notes),
    )


class _Images:
    """The images by their paths, and by the names that outputs give them: two may have one name."""

    def __init__(self, data: Dataset) -> None:
        self._at = {os.path.abspath(file): row for row, file in enumerate(data.files)}
        self._called: dict[str, set[int]] = {}
        for row, file in enumerate(data.files):
            self._called.setdefault(display_name(file), set()).add(row)

    def row_of(self, file: str, home: Path) -> int | None:
        """The image that a row of a table in `home` names; None: none, or one of several."""
        if len(file) > LONGEST:
            return None
        rows = self._called.get(file, set()) | {
            self._at[path] for path in _readings(file, (Path(), home)) if path in self._at
        }
        return next(iter(rows)) if len(rows) == 1 else None

    def moved(self, files: Sequence[str], home: Path, root: Path) -> dict[str, int]:
        """The images below `root` at the ends of all these paths, without what they begin with alike; empty: none."""
        if any(len(file) > LONGEST or _is_there(file, home) for file in files):
            return {}
        parts = [PurePath(file.replace("\\", "/")).parts for file in files]
        alike = len(os.path.commonprefix([path[:-1] for path in parts]))
        for start in range(1, alike + 1):
            paths = (os.path.abspath(root.joinpath(*path[start:])) for path in parts)
            rows = {file: self._at.get(path) for file, path in zip(files, paths, strict=True)}
            if None not in rows.values():
                return {file: row for file, row in rows.items() if row is not None}
        return {}


def _readings(file: str, homes: Sequence[Path]) -> Iterator[str]:
    r"""What a name in a table may mean; `a\b` is `a/b` where it was written on Windows."""
    for spelled in dict.fromkeys((file, file.replace("\\", "/"))):
        yield from (os.path.abspath(home / spelled) for home in homes)


def _is_there(file: str, home: Path) -> bool:
    return any(os.path.lexists(path) for path in _readings(file, (Path(), home)) if "\0" not in path)
