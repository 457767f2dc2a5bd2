"""How good a classifier is, with the uncertainty of the figure."""

from __future__ import annotations

import math

import numpy as np


def wilson_interval(right: int, n: int, z: float = 1.959964) -> tuple[float, float]:
    """95 % interval of a share (Wilson, 1927, https://doi.org/10.2307/2276774)."""
    if n == 0:
        return 0.0, 1.0
    share, scale = right / n, 1 + z * z / n
    middle = (share + z * z / (2 * n)) / scale
    half = z * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n)) / scale
    return max(0.0, middle - half), min(1.0, middle + half)


def confusion_matrix(labels: np.ndarray, predicted: np.ndarray, classes: int) -> np.ndarray:
    """(K, K) counts: rows are the true classes, columns the predicted ones."""
    matrix = np.zeros((classes, classes), np.int64)
    np.add.at(matrix, (labels, predicted), 1)
    return matrix


def per_class(matrix: np.ndarray, classes: tuple[str, ...]) -> list[dict[str, object]]:
    """Recall, precision and n of each class; None where there is nothing to divide by."""
    right, true, called = np.diag(matrix), matrix.sum(axis=1), matrix.sum(axis=0)
    return [
        {
            "name": name,
            "n": int(true[k]),
            "recall": float(right[k] / true[k]) if true[k] else None,
            "precision": float(right[k] / called[k]) if called[k] else None,
        }
        for k, name in enumerate(classes)
    ]
