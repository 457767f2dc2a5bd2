"""Labelled images of a table, or of WebDataset's tar files."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from vitrail.datasets.labelled import LabelledImages
from vitrail.errors import BadFolder
from vitrail.image_files import display_name, find_images
from vitrail.tables import columns_of, is_table, resolve_relative, rows_of
from vitrail.tars import is_tar, list_members, read_member, split_tar_path

CLASS_COLUMNS = ("class", "label", "class_index", "name")
"""Columns that may hold the class; the first one that is there does."""

SPLIT_COLUMNS = ("part", "split")
LONGEST = 1000  # bytes of a `.cls`


@dataclass(frozen=True)
class ImageList:
    """Images, the class of each and, where the list gives it, its split.

    Attributes:
        names: the class of each file.
        splits: "train", "test" or "" of each file.
    """

    files: Sequence[Path]
    names: Sequence[str]
    splits: Sequence[str]

    def labelled(self, split: str | None = None) -> LabelledImages:
        """The images of one split, or all, with the classes that are in it."""
        rows = [row for row, own in enumerate(self.splits) if split in (None, own)]
        names = [self.names[row] for row in rows]
        classes = sorted(set(names))
        numbers = {name: number for number, name in enumerate(classes)}
        labels = np.array([numbers[name] for name in names], np.int64)
        return LabelledImages(tuple(self.files[row] for row in rows), labels, tuple(classes))


def is_image_list(root: Path) -> bool:
    """Whether `root` is a table, a tar file, or a folder of tar files and nothing else that counts."""
    if root.is_file():
        return is_table(root) or is_tar(root)
    if not root.is_dir():
        return False
    inside_it = [path for path in root.iterdir() if not path.name.startswith(".")]
    return any(map(is_tar, inside_it)) and not any(path.is_dir() for path in inside_it)


def read_image_list(root: Path) -> ImageList:
    """The images and classes of a table, a tar file or a folder of tar files.

    A table has the columns `file` and `class` (or one of `CLASS_COLUMNS`) and may have `part`: train or test. In a tar
    file the class of `17.jpg` is in `17.cls`, or is the folder around it; its split is how
    the tar file's name begins.

    Raises:
        BadFolder: the list cannot be read, or an image has no class.
    """
    rows = list(_rows(root) if is_table(root) else _samples(find_images([root])))
    if not rows:
        raise BadFolder(f"'{display_name(root)}' lists no image. Use a row for each.")
    files, names, splits = zip(*rows, strict=True)
    return ImageList(files, names, splits)


def class_column(columns: Iterable[str]) -> str | None:
    """The column of the class."""
    return next((name for name in CLASS_COLUMNS if name in columns), None)


def _rows(table: Path) -> Iterator[tuple[Path, str, str]]:
    columns = columns_of(table)
    name, split = class_column(columns), next((name for name in SPLIT_COLUMNS if name in columns), None)
    if name is None:
        raise BadFolder(
            f"The table '{display_name(table.name)}' has no column 'class'; its columns are "
            f"{', '.join(map(repr, columns))}. Use the columns 'file' and 'class'."
        )
    for number, (file, label, *own) in enumerate(rows_of(table, ["file", name, *([split] if split else [])]), 1):
        if not label:
            raise BadFolder(f"Row {number} of '{display_name(table.name)}' names no class; fill it in or remove it.")
        yield resolve_relative(table, file, number), label, _split_of(own[0] if own else "")


def _samples(files: Iterable[Path]) -> Iterator[tuple[Path, str, str]]:
    for file in files:
        tar, name = split_tar_path(file) or (file.parent, file.name)
        yield file, _class_of(tar, name), _split_of(tar.name)


def _class_of(tar: Path, name: str) -> str:
    folder, _, last = name.rpartition("/")
    label = f"{folder}/{last.partition('.')[0]}.cls".lstrip("/")  # a sample's name ends at its first dot
    if label in list_members(tar):
        label_text = (read_member(tar, label, LONGEST) or b"").decode(errors="replace").strip()
    else:
        label_text = folder.rpartition("/")[2]
    if not label_text:
        raise BadFolder(
            f"'{display_name(name)}' in '{display_name(tar.name)}' has no class. Use a file of its name "
            "ending in .cls, or a folder around it."
        )
    return label_text


def _split_of(text: str) -> str:
    return next((part for part in ("train", "test") if text.lower().startswith(part)), "")
