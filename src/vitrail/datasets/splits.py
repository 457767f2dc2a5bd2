"""Training and test images of a labelled data set."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from vitrail.datasets import DATASETS
from vitrail.datasets.folder import folder, split_folders, stratified_split
from vitrail.datasets.image_list import is_image_list, read_image_list
from vitrail.datasets.labelled import LabelledImages
from vitrail.errors import BadFolder
from vitrail.image_files import display_name
from vitrail.validation import check_path


@dataclass(frozen=True)
class TrainTestSplit:
    """Images to train on and images to test on.

    Attributes:
        assignment: file and part ("train" or "test") of each image, if the split was made here; else empty.
    """

    train: LabelledImages
    test: LabelledImages
    assignment: Sequence[tuple[str, str]] = ()


def open_train_test(root: Path, *, home: Path, test_share: float, seed: int) -> TrainTestSplit:
    """Training and test images of `root`; without a test part, a stratified share is held out.

    Args:
        root: a folder, a table, tar files (`datasets/listed`), or the name of a data set; an existing path wins.
        home: folder in which packaged data sets are written as files.
        test_share: share of each class that is held out.
        seed: of the split.
    Raises:
        BadSetting: `root` is no path.
        BadFolder: the folder is missing, has fewer than two classes, or its test part has a class that train lacks.
    """
    check_path("folder", root)
    name = str(root)
    if not root.exists() and name in DATASETS and name != "folder":
        return TrainTestSplit(DATASETS[name](home / name, "train"), DATASETS[name](home / name, "test"))
    if is_image_list(root):
        return _split_of_list(root, test_share=test_share, seed=seed)
    if split_folders(root):
        train = _several_classes(folder(root, "train"))
        return TrainTestSplit(train, _same_classes(train, folder(root, "test"), root))
    return _split_off(folder(root, None), test_share=test_share, seed=seed)


def _split_of_list(root: Path, *, test_share: float, seed: int) -> TrainTestSplit:
    images = read_image_list(root)
    if "test" not in images.splits:
        return _split_off(images.labelled(), test_share=test_share, seed=seed)
    if "train" not in images.splits:
        raise BadFolder(f"'{display_name(root)}' has test images but no training images. Mark some of them as train.")
    train = _several_classes(images.labelled("train"))
    return TrainTestSplit(train, _same_classes(train, images.labelled("test"), root))


def _split_off(images: LabelledImages, *, test_share: float, seed: int) -> TrainTestSplit:
    chosen = stratified_split(_several_classes(images), test_share, seed)
    named = zip(("train", "test"), chosen, strict=True)
    assignment = [(display_name(images.files[row]), part) for part, rows in named for row in rows]
    return TrainTestSplit(images.take(chosen[0]), images.take(chosen[1]), assignment)


def _several_classes(images: LabelledImages) -> LabelledImages:
    if len(images.classes) < 2:
        raise BadFolder(
            f"There is only one class, '{display_name(images.classes[0])}'. Use a folder with at least two classes."
        )
    return images


def _same_classes(train: LabelledImages, test: LabelledImages, root: Path) -> LabelledImages:
    """The test part with labels numbered as in the training part."""
    unknown = sorted(set(test.classes) - set(train.classes))
    if unknown:
        raise BadFolder(
            f"Class '{display_name(unknown[0])}' is in the test part of '{display_name(root)}' but not in train. "
            "Add it to train, or remove it."
        )
    numbers = np.array([train.classes.index(name) for name in test.classes])
    return LabelledImages(test.files, numbers[test.labels], train.classes)
