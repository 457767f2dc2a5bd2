"""The one door to images: folders, tables, tar files, and the data sets inside packages."""

from __future__ import annotations

from pathlib import Path

from vitrail.datasets import DATASETS
from vitrail.datasets.dataset import Dataset
from vitrail.datasets.folder import read_folder
from vitrail.datasets.idx_images import read_idx_images
from vitrail.datasets.image_table import read_image_table
from vitrail.datasets.tar_images import holds_tars, read_tar_images
from vitrail.files import AnyPath
from vitrail.folder_walk import folders_in
from vitrail.idx import has_idx, idx_files
from vitrail.tables import is_table
from vitrail.tars import is_tar
from vitrail.validation import check_path


def open_dataset(path: AnyPath) -> Dataset:
    """The images in a folder, a table or tar files; files are read when they are asked for.

        data = vitrail.open_dataset("flowers")
        data.files[0], data.classes[data.labels[0]], data.part("train")

    Args:
        path: a folder (of images, of class folders, or of parts such as `train/` and `test/` with either), a table with
            the columns `file` and `class` and, if it is split, `part`; tar files; or a folder of
            the four idx files of MNIST.

    Raises:
        BadSetting: no path.
        BadFolder: there is no such folder or file, or there is no image in it.
    """
    check_path("path", path)
    root = Path(path)
    if root.is_file() and is_table(root):
        return read_image_table(root)
    if is_tar(root) or holds_tars(root):
        return read_tar_images(root)
    is_idx = has_idx(root) and (
        len(idx_files(root)) == 4 or not folders_in(root)
    )  # one of the four beside classes is none
    return read_idx_images(root) if is_idx else read_folder(root)


def open_named_dataset(path: AnyPath, *, home: Path) -> Dataset:
    """As `open_dataset`, or a packaged data set by its name; an existing path wins.

    Args:
        home: folder in which packaged data sets are written as files.
    """
    check_path("path", path)
    name = str(path)
    if not Path(path).exists() and name in DATASETS:
        data: Dataset = DATASETS[name](home / name)
        return data
    return open_dataset(path)
