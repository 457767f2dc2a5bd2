"""Images with the classes they are of: from a table, from class folders, or none."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

from vitrail.class_names import class_index
from vitrail.datasets.folder import folder as class_folders
from vitrail.datasets.image_list import is_image_list, read_image_list
from vitrail.errors import BadFolder, BadSetting, UnknownName
from vitrail.image_files import display_name, find_images

COLUMNS = ("class_index", "label", "class", "name")


def labelled(root: Path, table: Path | None, classes: Sequence[str]) -> tuple[list[Path], list[int] | None, str]:
    """Files, their classes' indices (None: not known), and a sentence that says where they come from.

    Raises:
        BadSetting: the table cannot be used.
        UnknownName: a class in it is none of the network's.
        BadFolder: there is no image, or none of them is in the table.
    """
    files = find_images([root])
    if table is not None:
        return _from_table(files, table, classes)
    try:
        found = read_image_list(root).labelled() if is_image_list(root) else class_folders(root, None)
        numbers = [class_index(classes, name) for name in found.classes]
    except (BadFolder, UnknownName, BadSetting):
        sentence = "No labels: what counts as right is what the network says of the unchanged image."
        return files, None, sentence
    labels = [numbers[label] for label in found.labels.tolist()]
    return list(found.files), labels, f"Labels of {len(found.classes)} classes from {display_name(root.name)}."


def _from_table(files: Sequence[Path], table: Path, classes: Sequence[str]) -> tuple[list[Path], list[int], str]:
    try:
        with table.open(encoding="utf-8", newline="") as lines:
            rows = list(csv.DictReader(lines))
    except (OSError, ValueError, csv.Error) as error:
        raise BadSetting(
            f"The table '{display_name(table)}' cannot be read ({error}); a CSV file would work."
        ) from None
    column = next((name for name in COLUMNS if rows and name in rows[0]), None)
    if column is None or "file" not in rows[0]:
        given = ", ".join(filter(None, rows[0])) if rows else "nothing"  # a line longer than the first has a None
        raise BadSetting(
            f"The table '{display_name(table)}' must have the columns file and class_index (or label); got {given}."
        )
    known = {Path(row["file"] or "").name: class_index(classes, row[column] or "") for row in rows}
    kept = [file for file in files if file.name in known]
    if not kept:
        raise BadFolder(f"None of the {len(files)} images is in '{display_name(table)}'; names must agree.")
    left = f"; {len(files) - len(kept)} images are not in it and left out" if len(kept) < len(files) else ""
    return kept, [known[file.name] for file in kept], f"Labels from {display_name(table.name)}{left}."
