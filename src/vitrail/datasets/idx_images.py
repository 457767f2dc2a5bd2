"""Labelled images of a folder of idx files."""

from __future__ import annotations

from pathlib import Path

from vitrail.datasets.dataset import Dataset, make_dataset
from vitrail.idx import PARTS, image_paths, read_part


def read_idx_images(root: Path) -> Dataset:
    """The images of MNIST and its relatives, in their two parts; classes are called as the labels, "0" to "9".

    Raises:
        BadFolder: one of the four files is missing, cut short or of another kind.
    """
    files: list[Path] = []
    names: list[str] = []
    parts: list[str] = []
    for part in PARTS:
        _, labels = read_part(root, part)
        files += image_paths(root, part, len(labels))
        names += map(str, labels.tolist())
        parts += [part] * len(labels)
    return make_dataset(files, names, parts)
