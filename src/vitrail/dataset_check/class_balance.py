"""Imbalance of the classes, classes that are too small, and classes that look alike."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, Float32, Int64

SMALL = 10  # images below which neither a fold nor a test says much of a class
FEWEST = 5  # images of a class without which nothing is said of whom it is like
ALIKE = 0.2  # share of images on the wrong side between two classes from which these are named


@dataclass(frozen=True)
class ClassBalance:
    """Sizes of K classes.

    Attributes:
        counts: (K,).
        ratio: of the largest to the smallest class that has images; None: there is none.
        effective_classes: exp of the entropy: the number of equally large classes that are as diverse; None as above.
        small: indices of classes of fewer than ten images, smallest first.
    """

    counts: Int64[np.ndarray, " K"]
    ratio: float | None
    effective_classes: float | None
    small: Sequence[int]

    def values(self, classes: Sequence[str]) -> dict[str, Any]:
        """As JSON values."""
        return {
            "images_per_class": dict(zip(classes, map(int, self.counts), strict=True)),
            "ratio": self.ratio,
            "effective_classes": self.effective_classes,
            "small": [{"class": classes[label], "images": int(self.counts[label])} for label in self.small],
        }


@dataclass(frozen=True)
class SimilarClasses:
    """Two classes that look alike.

    Attributes:
        first, second: indices of the classes.
        overlap: share of their images that are nearer to the mean of the other class, their own image left out of its
            mean; 0.5: no difference.
    """

    first: int
    second: int
    overlap: float

    def values(self, classes: Sequence[str]) -> dict[str, Any]:
        """As JSON values."""
        return {"classes": [classes[self.first], classes[self.second]], "overlap": self.overlap, "chance": 0.5}


def class_balance(labels: Int64[np.ndarray, " n"], classes: int) -> ClassBalance:
    """Sizes of the classes and how uneven they are."""
    counts = np.bincount(labels, minlength=classes)
    present = counts[counts > 0]
    if not len(present):
        return ClassBalance(counts, None, None, tuple(range(classes)))
    shares = present / present.sum()
    effective = float(np.exp(-(shares * np.log(shares)).sum()))
    small = [int(label) for label in np.argsort(counts, kind="stable") if counts[label] < SMALL]
    return ClassBalance(counts, float(present.max() / present.min()), effective, tuple(small))


def similar_classes(
    features: Float32[np.ndarray, "n d"], labels: Int64[np.ndarray, " n"], classes: int
) -> list[SimilarClasses]:
    """For each class the one it overlaps most with, by nearest means; pairs of an overlap of 0.2 and more, worst first.

    Shuffled labels give 0.5 for all pairs.
    """
    counts = np.bincount(labels, minlength=classes).astype(np.float64)
    several = np.flatnonzero(counts >= FEWEST)
    if len(several) < 2:
        return []
    sums = np.stack([features[labels == label].sum(axis=0, dtype=np.float64) for label in range(classes)])
    distances = _distances_to_means(features, labels, sums, counts)
    wrong = np.zeros((classes, classes))
    for label in several:
        rows = labels == label
        wrong[label] = (distances[rows] < distances[rows, label][:, None]).sum(axis=0)
    overlap = (wrong + wrong.T) / np.maximum(counts[:, None] + counts, 1)
    overlap[counts < FEWEST], overlap[:, counts < FEWEST] = 0, 0
    np.fill_diagonal(overlap, 0)
    nearest = ((int(label), int(overlap[label].argmax())) for label in several)
    pairs = {(min(pair), max(pair)) for pair in nearest}
    found = [SimilarClasses(*pair, float(overlap[pair])) for pair in pairs if overlap[pair] >= ALIKE]
    return sorted(found, key=lambda each: (-each.overlap, each.first, each.second))


def _distances_to_means(
    features: np.ndarray, labels: np.ndarray, sums: np.ndarray, counts: np.ndarray
) -> Float[np.ndarray, "n K"]:
    """Squared distances up to a constant a row; to the own class's mean without the image itself."""
    means = sums / np.maximum(counts, 1)[:, None]
    squares = np.einsum("nd,nd->n", features, features).astype(np.float64)
    distances: np.ndarray = (means**2).sum(axis=1) - 2 * (features @ means.T.astype(np.float32)).astype(np.float64)
    own = distances[np.arange(len(labels)), labels] + squares
    # |x − mean without x|² = |x − mean|² · (n / (n − 1))²
    factor = (counts / np.maximum(counts - 1, 1)) ** 2
    distances[np.arange(len(labels)), labels] = own * factor[labels] - squares
    return distances
