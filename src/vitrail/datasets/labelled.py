"""Images with labels, read when asked for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np


@dataclass(frozen=True)
class LabelledImages(Sequence[tuple[Path, int]]):
    """Files and the class of each.

    Attributes:
        files: (n,), in an order that does not depend on the machine.
        labels: (n,), int64, index into `classes`.
        classes: the class names, sorted.
    """

    files: tuple[Path, ...]
    labels: np.ndarray
    classes: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: int) -> tuple[Path, int]:  # type: ignore[override]
        return self.files[index], int(self.labels[index])

    def __iter__(self) -> Iterator[tuple[Path, int]]:
        return zip(self.files, map(int, self.labels), strict=True)

    def take(self, indices: np.ndarray) -> LabelledImages:
        """The images at `indices` (m,), classes unchanged."""
        return LabelledImages(tuple(self.files[i] for i in indices.tolist()), self.labels[indices], self.classes)
