"""What `transfer` learns from and what it tests on."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from vitrail.datasets import DATASETS
from vitrail.datasets.folder import folder, parts, stratified_split
from vitrail.datasets.labelled import LabelledImages
from vitrail.datasets.listed import is_list, listed
from vitrail.errors import BadFolder
from vitrail.events import Event, Table
from vitrail.image_files import display_name
from vitrail.transfer.joined import Joined

Parts = tuple[LabelledImages, LabelledImages]


def open_data(root: Path, *, home: Path, test_share: float, seed: int) -> tuple[Parts, list[Event]]:
    """The images to learn from and those to test on, and the split if one was made.

    Args:
        root: a folder, a table or tar files (`datasets/listed`), or the name of a data set; what is there wins.
        home: where data sets that come inside packages are written as files.
    Raises:
        BadFolder: the folder is missing, holds fewer than two classes, or its test part has a class that train has not.
    """
    name = str(root)
    if not root.exists() and name in DATASETS and name != "folder":
        return (DATASETS[name](home / name, "train"), DATASETS[name](home / name, "test")), []
    if is_list(root):
        return _of_list(root, test_share=test_share, seed=seed)
    if parts(root):
        train = _several_classes(folder(root, "train"))
        return (train, _same_classes(train, folder(root, "test"), root)), []
    return _split(folder(root, None), test_share=test_share, seed=seed)


def _of_list(root: Path, *, test_share: float, seed: int) -> tuple[Parts, list[Event]]:
    found = listed(root)
    if "test" not in found.parts:
        return _split(found.labelled(), test_share=test_share, seed=seed)
    if "train" not in found.parts:
        raise BadFolder(f"'{display_name(root)}' has images to test on and none to learn from; mark some as train.")
    train = _several_classes(found.labelled("train"))
    return (train, _same_classes(train, found.labelled("test"), root)), []


def _split(everything: LabelledImages, *, test_share: float, seed: int) -> tuple[Parts, list[Event]]:
    everything = _several_classes(everything)
    chosen = stratified_split(everything, test_share, seed)
    parted = zip(("train", "test"), chosen, strict=True)
    rows = [(display_name(everything.files[i]), part) for part, group in parted for i in group]
    table = Table("split", "The split into train and test", ("file", "part"), rows, shown=False)
    return (everything.take(chosen[0]), everything.take(chosen[1])), [table]


def readable(train: LabelledImages, test: LabelledImages, joined: Joined) -> Parts:
    """Both parts without the images that could not be read; rows of `joined` are those of train, then of test.

    Raises:
        BadFolder: a class has no image left to learn from.
    """
    cut = int(np.searchsorted(joined.kept, len(train)))
    left = train.take(joined.kept[:cut])
    here = set(left.labels.tolist())
    broken = [name for label, name in enumerate(train.classes) if label not in here]
    if broken:
        raise BadFolder(
            f"Class '{display_name(broken[0])}' has no image that can be read "
            f"({next(iter(joined.skipped.values()))}) Put readable images into it or remove its folder."
        )
    return left, test.take(joined.kept[cut:] - len(train))


def _several_classes(images: LabelledImages) -> LabelledImages:
    if len(images.classes) < 2:
        raise BadFolder(f"There is one class only, '{display_name(images.classes[0])}'; at least two would work.")
    return images


def _same_classes(train: LabelledImages, test: LabelledImages, root: Path) -> LabelledImages:
    """The test part with its labels counted as in the training part."""
    unknown = sorted(set(test.classes) - set(train.classes))
    if unknown:
        raise BadFolder(
            f"Class '{display_name(unknown[0])}' is in the test part of '{display_name(root)}' and not in train; "
            "add it to train or remove it."
        )
    numbers = np.array([train.classes.index(name) for name in test.classes])
    return LabelledImages(test.files, numbers[test.labels], train.classes)
