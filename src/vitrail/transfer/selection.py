"""Chooses, by cross-validation on the training part only, which layers of a network make the best features."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from vitrail.transfer.linear_svm import LinearSVMCV
from vitrail.transfer.scaling import Scaling, scale

COARSE_CS = (0.1, 1.0, 10.0)


def layer_curve(
    features: Mapping[str, np.ndarray], labels: np.ndarray, *, scaling: Scaling, folds: int, seed: int
) -> list[tuple[tuple[str, ...], float]]:
    """Cross-validated accuracy of each layer alone, and of all joined, at the best of three C.

    Args:
        features: layer -> (n, d), shallow to deep.
        labels: (n,).
    """
    candidates: list[tuple[str, ...]] = [(layer,) for layer in features]
    if len(features) > 1:
        candidates.append(tuple(features))
    return [(layers, _accuracy(features, layers, labels, scaling, folds, seed)) for layers in candidates]


def best_layers(curve: Sequence[tuple[tuple[str, ...], float]]) -> tuple[str, ...]:
    """The layers of the highest accuracy; of several, the first."""
    return max(curve, key=lambda entry: entry[1])[0]


def _accuracy(  # noqa: PLR0913  (what cross-validation depends on, all plain)
    features: Mapping[str, np.ndarray],
    layers: tuple[str, ...],
    labels: np.ndarray,
    scaling: Scaling,
    folds: int,
    seed: int,
) -> float:
    scaled = scale([features[layer] for layer in layers], scaling)
    search = LinearSVMCV(COARSE_CS, folds=folds, seed=seed).fit(scaled, labels)
    return float(search.accuracy_path_.mean(axis=0).max())
