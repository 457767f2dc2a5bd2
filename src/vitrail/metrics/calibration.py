"""Calibration: whether predicted probabilities match observed frequencies."""

from __future__ import annotations

import numpy as np

BINS = 15


def expected_calibration_error(probabilities: np.ndarray, labels: np.ndarray, *, bins: int = BINS) -> float:
    """Mean absolute difference of confidence and accuracy, in [0, 1], over bins of equally many images.

    Naeini et al., 2015, https://doi.org/10.1609/aaai.v29i1.9602, as used by Guo et al., 2017,
    https://arxiv.org/abs/1706.04599; equal-mass bins, as equal-width ones are mostly empty.

    Args:
        probabilities: (n, K), rows summing to 1; n of at least 1.
        labels: (n,), indices of classes.
        bins: number of bins; of fewer images, one image a bin.
    Raises:
        ValueError: there is no image, or there are not as many labels as rows.
    """
    if len(probabilities) == 0 or len(probabilities) != len(labels):
        raise ValueError(
            f"Calibration needs one label for each of at least 1 image; got {len(probabilities)} rows and "
            f"{len(labels)} labels."
        )
    confidence = probabilities.max(axis=1)
    correct = probabilities.argmax(axis=1) == labels
    order = np.argsort(confidence, kind="stable")
    groups = np.array_split(order, min(bins, len(order)))
    gaps = [abs(float(confidence[rows].mean() - correct[rows].mean())) * len(rows) for rows in groups]
    return float(sum(gaps) / len(order))
