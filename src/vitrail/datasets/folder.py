"""A folder of class folders, with or without `train/` and `test/` above them."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from vitrail.datasets.labelled import LabelledImages
from vitrail.errors import BadFolder
from vitrail.image_files import display_name, find_images


def folder(root: Path, split: str | None) -> LabelledImages:
    """Images in a folder of class folders, or in `train/` and `test/` with class folders.

    Those in `root/split/CLASS/...`, or in `root/CLASS/...` when `split` is None.

    Class folders that are hidden are left out. A class without images is an error in a part to learn
    from, and a class without examples in a test part.

    Raises:
        BadFolder: the folder is missing, holds no class folders, or a class to learn has no image.
    """
    home = root / split if split else root
    found = {path.name: _images_in(path, may_be_empty=split == "test") for path in class_folders(home)}
    files = tuple(file for name in sorted(found) for file in found[name])
    if not files:
        raise BadFolder(f"'{display_name(home)}' has class folders but no images in them.")
    labels = np.repeat(np.arange(len(found)), [len(found[name]) for name in sorted(found)])
    return LabelledImages(files, labels, tuple(sorted(found)))


def _images_in(path: Path, may_be_empty: bool) -> list[Path]:
    try:
        return find_images([path])
    except BadFolder:
        if may_be_empty:
            return []
        raise


def split_folders(root: Path) -> tuple[str, ...]:
    """`("train", "test")` if the folder is split already, else `()`."""
    here = {path.name for path in class_folders(root)}
    if {"train", "test"} <= here:
        return ("train", "test")
    if "train" in here and not here - {"train", "val", "valid", "validation"}:
        raise BadFolder(f"'{display_name(root)}' has a 'train' folder but no 'test' folder beside it.")
    return ()


def class_folders(home: Path) -> list[Path]:
    """The folders in `home` that are not hidden, sorted by name."""
    if not home.is_dir():
        state = "is a file" if home.exists() else "does not exist"
        raise BadFolder(f"The folder '{display_name(home)}' {state}; give a folder that holds one folder a class.")
    try:
        inside = sorted(path for path in home.iterdir() if path.is_dir() and not path.name.startswith("."))
    except OSError as error:
        raise BadFolder(f"The folder '{display_name(home)}' cannot be read: {error.strerror}.") from None
    if not inside:
        raise BadFolder(f"'{display_name(home)}' holds no folders; put the images of each class into a folder.")
    return inside


def stratified_split(images: LabelledImages, test_share: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Indices (train, test): of each class about `test_share` to test, at least one image staying in train.

    The choice depends on the order of files, the share and the seed only. A class of one image stays in train.
    """
    rng = np.random.default_rng(seed)
    test: list[np.ndarray] = []
    for label in range(len(images.classes)):
        members = rng.permutation(np.flatnonzero(images.labels == label))
        wanted = max(1, round(test_share * len(members)))
        test.append(members[: min(wanted, len(members) - 1)])
    held_out = np.sort(np.concatenate(test))
    return np.setdiff1d(np.arange(len(images)), held_out), held_out
