"""One door to labelled images: folders, tables, tar files, and the data sets inside packages."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, get_args

from vitrail.datasets.folder import folder, split_folders
from vitrail.datasets.image_list import is_image_list, read_image_list
from vitrail.datasets.labelled import LabelledImages
from vitrail.files import AnyPath
from vitrail.validation import check_choice, check_path

Part = Literal["train", "test"]


def open_dataset(path: AnyPath, part: Part | None = None) -> LabelledImages:
    """The labelled images in a folder, a table or tar files; files are read when they are asked for.

        images = vitrail.open_dataset("flowers")
        images.files[0], images.classes[images.labels[0]]

    Args:
        path: a folder of class folders (or of `train/` and `test/` with such), a table with the columns `file` and
            `class`, or tar files.
        part: "train" or "test" of data that is split. None: all images of data that is not, else the training part.

    Raises:
        BadSetting: no path, or no such part.
        BadFolder: there is no such folder or file, or it holds no labelled images of this part.
    """
    check_path("path", path)
    if part is not None:
        check_choice("part", part, get_args(Part))
    root = Path(path)
    if is_image_list(root):
        images = read_image_list(root)
        return images.labelled(part or ("train" if "train" in images.splits else None))
    return folder(root, part or ("train" if split_folders(root) else None))
