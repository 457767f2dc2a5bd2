"""Calibration: whether predicted probabilities match observed frequencies."""

from __future__ import annotations

from typing import Any

import numpy as np

from vitrail.errors import BadSetting
from vitrail.validation import check_count, describe

BINS = 15
ROUNDING = 1e-3  # by which a sum of probabilities may differ from 1


def expected_calibration_error(probabilities: np.ndarray, labels: np.ndarray, *, bins: int = BINS) -> float:
    """Mean absolute difference of confidence and accuracy, in [0, 1], over bins of equally many images.

    Naeini et al., 2015, https://doi.org/10.1609/aaai.v29i1.9602, as used by Guo et al., 2017,
    https://arxiv.org/abs/1706.04599; equal-mass bins, as equal-width ones are mostly empty.

    Args:
        probabilities: (n, K), rows summing to 1; n of at least 1.
        labels: (n,), indices of classes.
        bins: number of bins; of fewer images, one image a bin.
    Raises:
        BadSetting: rows that are no probabilities, or labels that are no classes of them.
    """
    probabilities, labels = _array("probabilities", probabilities), _array("labels", labels)
    check_count("bins", bins)
    if probabilities.ndim != 2 or not probabilities.size or not _are_probabilities(probabilities):
        raise BadSetting(f"probabilities must be (n, K), rows in [0, 1] that sum to 1; got {describe(probabilities)}.")
    number, classes = probabilities.shape
    whole = labels.shape == (number,) and np.issubdtype(labels.dtype, np.integer)
    if not whole or labels.min() < 0 or labels.max() >= classes:
        raise BadSetting(f"labels must be ({number},), indices of {classes} classes; got {describe(labels)}.")
    confidence = probabilities.max(axis=1).clip(max=1)  # what rounding adds is no confidence
    correct = probabilities.argmax(axis=1) == labels
    order = np.argsort(confidence, kind="stable")
    groups = np.array_split(order, min(bins, len(order)))
    gaps = [abs(float(confidence[rows].mean() - correct[rows].mean())) * len(rows) for rows in groups]
    return float(sum(gaps) / len(order))


def _array(name: str, values: Any) -> np.ndarray:
    try:
        return np.asarray(values)
    except (TypeError, ValueError, RuntimeError) as error:  # rows of other lengths, a tensor that has a gradient
        raise BadSetting(
            f"{name} must be an array; got {describe(values)}. Use .detach().numpy() of tensors."
        ) from error


def _are_probabilities(values: np.ndarray) -> bool:
    if not np.issubdtype(values.dtype, np.floating):
        return False
    return bool((values >= 0).all() and np.allclose(values.sum(axis=1), 1, atol=ROUNDING))  # NaN is neither
