"""Images with the classes of a network: labels from a table, from class folders, or none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from vitrail.class_names import class_index
from vitrail.datasets import DATASETS
from vitrail.datasets.dataset import UNKNOWN, Dataset
from vitrail.datasets.image_table import CLASS_COLUMNS
from vitrail.datasets.open_dataset import open_dataset, open_named_dataset
from vitrail.errors import BadFolder, BadSetting, UnknownName
from vitrail.folder_walk import LeftOut
from vitrail.formatting import count
from vitrail.image_files import display_name, find_images
from vitrail.settings import cache_folder
from vitrail.tables import column_among, columns_of, file_column, is_table, rows_of
from vitrail.tars import is_tar
from vitrail.validation import check_path

COLUMNS = ("class_index", *CLASS_COLUMNS)

LabelSource = Literal["table", "list", "class folders", "none"]


@dataclass(frozen=True)
class NetworkLabels:
    """Images and the class of each.

    Attributes:
        labels: index of each image's class in the network; None: not known.
        source: where the labels come from.
        description: the same, in words, with the part of the data and the number of classes.
        left_out: number of files that are not among these, by kind.
    """

    files: Sequence[Path]
    labels: Sequence[int] | None
    source: LabelSource
    description: str
    left_out: Mapping[str, int] = field(default_factory=dict)


def read_network_labels(root: Path, classes: Sequence[str], *, table: Path | None = None) -> NetworkLabels:
    """The images below `root`, with labels where they are known and are classes of the network.

    Of data with parts only the test part is read, or, if there is none, the val part.

    Args:
        root: an image, whatever `open_dataset` takes, or the name of a packaged data set.
        classes: the network's class names.
        table: a table with the columns `file` and `class_index` (or `label`), which wins.

    Raises:
        BadSetting: the table cannot be used, or a path is none.
        UnknownName: a class in it is none of the network's.
        BadFolder: there is no image, or none of them is in the table.
    """
    check_path("folder", root)
    if table is not None:
        check_path("labels", table)
        return _from_table(root, table, classes)
    if root.is_file() and is_table(root) and column_among(columns_of(root), COLUMNS) is None:
        return NetworkLabels(find_images([root]), None, "none", "none (the table has no column 'class')")
    if not root.exists() and str(root) in DATASETS:
        data = open_named_dataset(root, home=cache_folder().parent / "datasets")
        return _of_network(data, classes, "class folders")
    if not root.is_dir() and not is_table(root) and not is_tar(root):
        return NetworkLabels(find_images([root]), None, "none", "none")
    return _of_network(open_dataset(root), classes, "class folders" if root.is_dir() else "list")


def _of_network(data: Dataset, classes: Sequence[str], source: LabelSource) -> NetworkLabels:
    part = next((part for part in ("test", "val") if part in data.parts), "")
    rows = data.in_part(part) if part else data.in_part()
    files = [file for file, taken in zip(data.files, rows, strict=True) if taken]
    left_out = LeftOut(data.left_out)
    left_out[f"not in {part}"] += len(data) - len(files)
    described, without = f" in {part}" if part else "", int((data.labels[rows] == UNKNOWN).sum())
    if without:
        why = f" ({without:,} of {count(len(files), 'image')} without a class)" if without < len(files) else ""
        return NetworkLabels(files, None, "none", f"none{described}{why}", +left_out)
    try:
        indices = [class_index(classes, name) for name in data.classes]
    except (UnknownName, BadSetting) as error:
        return NetworkLabels(files, None, "none", f"none{described} ({error})", +left_out)
    labels = [indices[label] for label in data.labels[rows].tolist()]
    number = count(len(set(labels)), "class", "classes")
    place = "class folders" if source == "class folders" else "the list"
    return NetworkLabels(files, labels, source, f"{number}, from {place}{described}", +left_out)


def _from_table(root: Path, table: Path, classes: Sequence[str]) -> NetworkLabels:
    name, left_out = display_name(table.name), LeftOut()
    files = find_images([root], left_out)
    try:
        columns = columns_of(table)
        files_in, column = file_column(table), column_among(columns, COLUMNS)
    except BadFolder as error:
        raise BadSetting(str(error)) from None
    if column is None:
        raise BadSetting(
            f"The table '{name}' has no column 'class_index' or 'label'; its columns are "
            f"{', '.join(map(repr, columns))}. Use the columns 'file' and 'class_index'."
        )
    labels = {Path(file).name: class_index(classes, text) for file, text in rows_of(table, [files_in, column])}
    listed_files = [file for file in files if file.name in labels]
    if not listed_files:
        raise BadFolder(
            f"None of the {len(files)} images is in '{name}'. Use the images' file names in its column file."
        )
    others = len(files) - len(listed_files)
    left_out["without a row in the table"] += others
    shown = f"; {count(others, 'image')} without a row left out" if others else ""
    numbers = [labels[file.name] for file in listed_files]
    description = f"{count(len(set(numbers)), 'class', 'classes')}, from {name}{shown}"
    return NetworkLabels(listed_files, numbers, "table", description, +left_out)
