"""Images with the classes of a network: labels from a table, from class folders, or none."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from vitrail.class_names import class_index
from vitrail.datasets.folder import class_folders, folder
from vitrail.datasets.image_list import class_column, is_image_list, read_image_list
from vitrail.datasets.labelled import LabelledImages
from vitrail.errors import BadFolder, BadSetting, UnknownName, one_line
from vitrail.formatting import count
from vitrail.image_files import display_name, find_images
from vitrail.reading import open_lines
from vitrail.tables import columns_of, is_table
from vitrail.validation import check_path

COLUMNS = ("class_index", "label", "class", "name")
TEST_PARTS = ("test", "val", "valid", "validation")

LabelSource = Literal["table", "list", "class folders", "none"]


@dataclass(frozen=True)
class NetworkLabels:
    """Images and the class of each.

    Attributes:
        labels: index of each image's class in the network; None: not known.
        source: where the labels come from.
        description: the same, in words, with the part of the data and the number of classes.
    """

    files: Sequence[Path]
    labels: Sequence[int] | None
    source: LabelSource
    description: str


def read_network_labels(root: Path, classes: Sequence[str], *, table: Path | None = None) -> NetworkLabels:
    """The images below `root`, with labels where they are known and are classes of the network.

    Of data with a training and a test part (`train/` and `test/`, or `val/`) only the test part is read.

    Args:
        root: an image, a folder, a table, or tar files.
        classes: the network's class names.
        table: a CSV file with the columns `file` and `class_index` (or `label`), which wins.

    Raises:
        BadSetting: the table cannot be used, or a path is none.
        UnknownName: a class in it is none of the network's.
        BadFolder: there is no image, or none of them is in the table.
    """
    check_path("folder", root)
    if table is not None:
        check_path("labels", table)
        return _from_table(find_images([root]), table, classes)
    if is_image_list(root):
        return _from_list(root, classes)
    home = _images_folder(root)
    part = "" if home == root else f" in {_relative(home, root)}"
    try:
        return _numbered(folder(home, None), classes, "class folders", part)
    except (BadFolder, UnknownName, BadSetting) as error:
        names = [path.name for path in class_folders(home)] if home.is_dir() and _has_folders(home) else []
        why = f" ({error})" if names else ""
        return NetworkLabels(find_images([home]), None, "none", f"none{part}{why}")


def _images_folder(root: Path) -> Path:
    """The folder to read: of a training and a test part the test part, and of a single folder the one inside it."""
    while root.is_dir() and (inside := _folders(root)):
        names = {path.name.lower(): path for path in inside}
        part = next((names[name] for name in TEST_PARTS if name in names), None)
        if part is not None and ("train" in names or not names.keys() - set(TEST_PARTS)):
            root = part
        elif len(inside) == 1 and not any(path.is_file() for path in root.iterdir()) and _folders(inside[0]):
            root = inside[0]
        else:
            break
    return root


def _folders(root: Path) -> list[Path]:
    try:
        return sorted(path for path in root.iterdir() if path.is_dir() and not path.name.startswith("."))
    except OSError as error:
        name = display_name(root)
        raise BadFolder(
            f"The folder '{name}' cannot be read ({error.strerror}). Use a folder that you may read.", path=name
        ) from None


def _has_folders(root: Path) -> bool:
    return bool(_folders(root))


def _relative(home: Path, root: Path) -> str:
    return f"'{display_name(home.relative_to(root))}'"


def _from_list(root: Path, classes: Sequence[str]) -> NetworkLabels:
    part = None
    try:
        images = read_image_list(root)
    except BadFolder:
        if is_table(root) and class_column(columns_of(root)) is not None:
            raise  # classes are there, and some are missing
        why = "the table has no column 'class'" if is_table(root) else "the tar files name no class for some image"
        return NetworkLabels(find_images([root]), None, "none", f"none ({why})")
    if {"train", "test"} <= set(images.splits):
        part = "test"
    labelled = images.labelled(part)
    described = " in the test part" if part else ""
    try:
        return _numbered(labelled, classes, "list", described)
    except (UnknownName, BadSetting) as error:
        return NetworkLabels(list(labelled.files), None, "none", f"none{described} ({error})")


def _numbered(images: LabelledImages, classes: Sequence[str], source: LabelSource, part: str) -> NetworkLabels:
    """Labels as indices of the network's classes; raises `UnknownName` or `BadSetting` where a class is not one."""
    indices = [class_index(classes, name) for name in images.classes]
    labels = [indices[label] for label in images.labels.tolist()]
    number = count(len(set(labels)), "class", "classes")
    place = "class folders" if source == "class folders" else "the list"
    return NetworkLabels(list(images.files), labels, source, f"{number}, from {place}{part}")


def _from_table(files: Sequence[Path], table: Path, classes: Sequence[str]) -> NetworkLabels:
    name = display_name(table)
    try:
        with open_lines(table) as lines:
            rows = list(csv.DictReader(lines))
    except (OSError, ValueError, csv.Error) as error:
        raise BadSetting(f"The table '{name}' cannot be read ({one_line(error)}). Use a CSV file.") from None
    column = next((name for name in COLUMNS if rows and name in rows[0]), None)
    if column is None or "file" not in rows[0]:
        given = ", ".join(filter(None, rows[0])) if rows else "nothing"  # a line longer than the first has a None
        raise BadSetting(f"The table '{name}' must have the columns file and class_index (or label); got {given}.")
    labels = {Path(row["file"] or "").name: class_index(classes, row[column] or "") for row in rows}
    listed_files = [file for file in files if file.name in labels]
    if not listed_files:
        raise BadFolder(
            f"None of the {len(files)} images is in '{name}'. Use the images' file names in its column file."
        )
    others = len(files) - len(listed_files)
    left_out = f"; {count(others, 'image')} without a row left out" if others else ""
    numbers = [labels[file.name] for file in listed_files]
    description = f"{count(len(set(numbers)), 'class', 'classes')}, from {display_name(table.name)}{left_out}"
    return NetworkLabels(listed_files, numbers, "table", description)
