"""Images as a source gives them: in parts, with classes, and with what was left out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from vitrail.class_names import normal_name
from vitrail.datasets.labelled import LabelledImages

UNKNOWN = -1  # label of an image whose class is not known


@dataclass(frozen=True)
class Dataset(LabelledImages):
    """Images of a source, with their parts; `labels` are -1, and `classes` none, where no class is known.

    Attributes:
        parts: (n,) "train", "val" or "test"; "" of data that is not split.
        left_out: number of files that are not among these, by kind: a suffix, "system files", ...
        notes: what was decided while it was read, a sentence each.
    """

    parts: Sequence[str]
    left_out: Mapping[str, int] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def part(self, *names: str) -> LabelledImages:
        """The images of one part or several whose class is known; without a name, all of them.

        Returns:
            Labels and classes are this data set's, also where a part lacks a class.
        """
        rows = np.flatnonzero(self.in_part(*names) & (self.labels != UNKNOWN))
        return self.take(rows)

    def in_part(self, *names: str) -> np.ndarray:
        """(n,) whether each image is in one of these parts; without a name, all are."""
        return np.isin(np.array(self.parts, str), names) if names else np.ones(len(self), bool)

    def has(self, part: str) -> bool:
        """Whether there is an image in this part whose class is known."""
        return bool((self.in_part(part) & (self.labels != UNKNOWN)).any())


def make_dataset(
    files: Sequence[Path],
    names: Sequence[str],
    parts: Sequence[str],
    *,
    left_out: Mapping[str, int] | None = None,
    notes: Sequence[str] = (),
) -> Dataset:
    """The data set of these images.

    Args:
        names: the class of each, as it stands; "" where it is not known.
    """
    kept = {name: normal_name(name) for name in set(names)}
    classes = tuple(sorted({name for name in kept.values() if name}))
    numbers = {"": UNKNOWN} | {name: number for number, name in enumerate(classes)}
    labels = np.array([numbers[kept[name]] for name in names], np.int64)
    return Dataset(tuple(files), labels, classes, parts, +Counter(left_out or {}), tuple(notes))
