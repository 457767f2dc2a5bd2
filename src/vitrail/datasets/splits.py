"""Training and test images of a labelled data set."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from vitrail.datasets.dataset import UNKNOWN, Dataset
from vitrail.datasets.labelled import LabelledImages
from vitrail.datasets.leave_out import leave_out_listed
from vitrail.datasets.open_dataset import open_named_dataset
from vitrail.errors import BadFolder
from vitrail.folder_walk import LeftOut
from vitrail.formatting import count, display_name
from vitrail.validation import check_path

NAMED = 3  # classes named in a note


@dataclass(frozen=True)
class TrainTestSplit:
    """Images to train on and images to test on.

    Attributes:
        is_drawn: whether the test images were drawn here, as the data have no part to test on.
        left_out: number of files that are not among these, by kind.
        notes: what was decided while they were read, a sentence each.
    """

    train: LabelledImages
    test: LabelledImages
    is_drawn: bool = False
    left_out: Mapping[str, int] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def open_train_test(
    root: Path, *, home: Path, test_share: float, seed: int, leave_out: Path | None = None
) -> TrainTestSplit:
    """Training and test images of `root`.

    The test part is looked at once: classifiers are chosen on train and val together. Without a test part the val part
    is the test part, and without either a stratified share is held out. Images of the test part whose class is not in
    train are left out.

    Args:
        root: whatever `open_dataset` takes, or the name of a data set; an existing path wins.
        home: folder in which packaged data sets are written as files.
        test_share: share of each class that is held out.
        seed: of the split.
        leave_out: a table of files that are left out.
    Raises:
        BadSetting: `root` is no path; or none of the files to leave out is among the images.
        BadFolder: there is nothing to read, to learn from or to test on, or there are fewer than two classes.
    """
    check_path("folder", root)
    data = open_named_dataset(root, home=home)
    if leave_out is not None:
        data = leave_out_listed(data, leave_out, root)
    return _split(data, root, test_share=test_share, seed=seed)


def _split(data: Dataset, root: Path, *, test_share: float, seed: int) -> TrainTestSplit:
    left_out, notes = LeftOut(data.left_out), list(data.notes)
    if not data.classes:
        raise BadFolder(
            f"The images in '{display_name(root)}' have no classes. Use a folder for each class, or a table with the "
            "columns 'file' and 'class'."
        )
    _leave_out_unknown(data, left_out)
    if not any(data.parts):
        return _drawn(data.part(), left_out, notes, test_share=test_share, seed=seed)
    if not data.has("train"):
        raise BadFolder(f"'{display_name(root)}' has no training images. Use a part called train.")
    if data.has("test"):
        if data.has("val"):
            notes.append("The val part is learned from too; C and layers are chosen by cross-validation.")
        return _given(data.part("train", "val"), data.part("test"), left_out, notes)
    if data.has("val"):
        notes.append("There is no test part: val is used to test.")
        return _given(data.part("train"), data.part("val"), left_out, notes)
    notes.append("There is only a training part: some of its images are held out to test.")
    return _drawn(data.part("train"), left_out, notes, test_share=test_share, seed=seed)


def _leave_out_unknown(data: Dataset, left_out: LeftOut) -> None:
    for part in sorted(set(data.parts)):
        n = int((data.in_part(part) & (data.labels == UNKNOWN)).sum())
        left_out[f"without a class in {part}" if part else "without a class"] += n


def _given(train: LabelledImages, test: LabelledImages, left_out: LeftOut, notes: Sequence[str]) -> TrainTestSplit:
    """Of parts that the data have; classes that only the test part has are left out."""
    known = set(train.labels.tolist())
    train = _with_its_classes(train)
    unknown = ~np.isin(test.labels, list(known))
    names = sorted({test.classes[label] for label in test.labels[unknown]})
    if names:
        left_out["of classes that are not in train"] += int(unknown.sum())
        named = ", ".join(f"'{name}'" for name in names[:NAMED])
        more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
        notes = [
            *notes,
            f"Not in train, and left out of the test: {count(len(names), 'class', 'classes')}, {named}{more}.",
        ]
    rows = np.flatnonzero(~unknown)
    if not len(rows):
        raise BadFolder(f"No class of the test part is in train, e.g. '{names[0]}'. Use the same class names in both.")
    numbers = np.array([train.classes.index(name) if name in train.classes else 0 for name in test.classes])
    kept = LabelledImages(tuple(test.files[row] for row in rows), numbers[test.labels[rows]], train.classes)
    return TrainTestSplit(train, kept, left_out=+left_out, notes=tuple(notes))


def _drawn(
    images: LabelledImages, left_out: LeftOut, notes: Sequence[str], *, test_share: float, seed: int
) -> TrainTestSplit:
    images = _with_its_classes(images)
    train, test = stratified_split(images, test_share, seed)
    return TrainTestSplit(images.take(train), images.take(test), True, +left_out, tuple(notes))


def _with_its_classes(images: LabelledImages) -> LabelledImages:
    """The same images; classes of which there is none are gone."""
    present = np.unique(images.labels)
    if len(present) < 2:
        name = display_name(images.classes[present[0]]) if len(present) else ""
        raise BadFolder(f"There is only one class, '{name}'. Use a folder with at least two classes.")
    labels = np.searchsorted(present, images.labels)
    return replace(images, labels=labels, classes=tuple(images.classes[label] for label in present))


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
