"""Images that a table lists, left out of a data set: `transfer --leave-out suspects.csv`."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path, PurePath

import numpy as np

from vitrail.datasets.dataset import Dataset
from vitrail.errors import BadFolder, BadSetting
from vitrail.folder_walk import LeftOut
from vitrail.formatting import count, display_name
from vitrail.tables import file_column, rows_of
from vitrail.validation import check_path


def leave_out_listed(data: Dataset, table: Path, root: Path) -> Dataset:
    """The data without the images that a table lists in its column of files, such as `suspects.csv` of a check.

    Files are named as outputs name them, or by a path that begins at the working directory or at the table. Where the
    data have moved since, the end of the path that leads to an image below them counts. Rows that name no image of the
    data are counted in a note.

    Args:
        root: the data, as they were given.
    Raises:
        BadSetting: the table cannot be read, or none of its files is among the images.
    """
    check_path("leave_out", table)
    name = display_name(table.name)
    try:
        listed = {file for (file,) in rows_of(table, (file_column(table),)) if file}
    except BadFolder as error:
        raise BadSetting(str(error)) from None
    places = _places(data)
    found, unknown = set[int](), []
    for file in sorted(listed):
        at = next((places[each] for each in _readings(file, table, root) if each in places), None)
        found.update(() if at is None else (at,))
        unknown += [file] if at is None else []
    if unknown and not found:
        raise BadSetting(
            f"None of the {count(len(listed), 'file')} in '{name}' is among the images of '{display_name(root)}', "
            f"e.g. '{display_name(unknown[0])}'. Use the table of a check of these images."
        )
    notes = list(data.notes)
    if unknown:
        verb = "is" if len(unknown) == 1 else "are"
        notes.append(
            f"{count(len(unknown), 'file')} in '{name}' {verb} none of these images, e.g. '{display_name(unknown[0])}'."
        )
    taken = np.setdiff1d(np.arange(len(data)), list(found))
    left_out = LeftOut(data.left_out)
    left_out[f"listed in {name}"] += len(found)
    return replace(
        data,
        files=tuple(data.files[row] for row in taken),
        labels=data.labels[taken],
        parts=[data.parts[row] for row in taken],
        left_out=+left_out,
        notes=tuple(notes),
    )


def _readings(file: str, table: Path, root: Path) -> Iterator[str]:
    r"""What a name in the table may mean, the likeliest first; `a\b` is `a/b` where it was written on Windows."""
    yield file
    for spelled in dict.fromkeys((file, file.replace("\\", "/"))):
        yield from (os.path.abspath(home / spelled) for home in (Path(), table.parent))
        parts = PurePath(spelled).parts
        yield from (os.path.abspath(root.joinpath(*parts[start:])) for start in range(1, len(parts)))


def _places(data: Dataset) -> dict[str, int]:
    """Row of each image by every name that it goes by; what a table says wins over where it lies."""
    names = {os.path.abspath(file): row for row, file in enumerate(data.files)}
    return names | {display_name(file): row for row, file in enumerate(data.files)}
