"""Choice of the layers of a network whose features classify best, by cross-validation on the training images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray
from scipy.linalg import eigh

from vitrail.transfer.scaling import Scaling, scale

RIDGES = np.logspace(-3, 1, 5)  # times the mean squared length of a row
NEGLIGIBLE = 1e-6  # eigenvalues below this share of the largest are rounding errors

Choice = tuple[tuple[str, ...], float]


def layer_curve(features: Mapping[str, ndarray], labels: ndarray, scaling: Scaling) -> list[Choice]:
    """Leave-one-out accuracy of each layer alone, and of all layers together.

    The classifier is least squares: it ranks layers as the SVM's own cross-validation does (docs/decisions/0004),
    and needs one eigendecomposition per candidate instead of hundreds of fits.

    Args:
        features: layer -> (n, d), shallow to deep.
        labels: (n,), indices of classes.
    """
    candidates: list[tuple[str, ...]] = [(layer,) for layer in features]
    if len(features) > 1:
        candidates.append(tuple(features))
    return [
        (layers, loo_accuracy(scale([features[layer] for layer in layers], scaling), labels)) for layers in candidates
    ]


def best_layers(curve: Sequence[Choice]) -> tuple[str, ...]:
    """The layers of the highest accuracy; of several, the first."""
    return max(curve, key=lambda entry: entry[1])[0]


def loo_accuracy(features: Float[ndarray, "n d"], labels: Int[ndarray, " n"]) -> float:
    """Leave-one-out accuracy of ridge regression on the labels, at the best of a few ridges.

    In closed form: with H the hat matrix, which maps targets to fitted values, the prediction of a sample by the fit
    without it is y − (y − Hy) / (1 − diag H) (Allen, 1974, https://doi.org/10.2307/1267500).
    """
    centred = features - features.mean(axis=0)
    targets = np.where(labels[:, None] == np.arange(labels.max() + 1), 1.0, -1.0).astype(features.dtype)
    means = targets.mean(axis=0)
    targets -= means
    values, vectors = _principal(centred)
    projected = vectors.T @ targets
    best = 0.0
    for ridge in RIDGES * float(values.sum()) / len(features):
        shrinkage = (values / (values + ridge)).astype(features.dtype)
        leverage = (vectors * vectors) @ shrinkage + 1 / len(features)  # the mean is fitted as well
        fitted = vectors @ (shrinkage[:, None] * projected)
        left_out = targets - (targets - fitted) / np.maximum(1 - leverage, 1e-6)[:, None]
        best = max(best, float(((left_out + means).argmax(axis=1) == labels).mean()))
    return best


def _principal(centred: Float[ndarray, "n d"]) -> tuple[Float[ndarray, " r"], Float[ndarray, "n r"]]:
    """Squared singular values and left singular vectors, from the smaller of the two Gram matrices."""
    samples, dimension = centred.shape
    wide = dimension >= samples
    values, vectors = eigh(centred @ centred.T if wide else centred.T @ centred, driver="evd")
    significant = values > NEGLIGIBLE * max(float(values[-1]), np.finfo(values.dtype).tiny)
    values, vectors = values[significant], vectors[:, significant]
    return values, vectors if wide else (centred @ vectors) / np.sqrt(values)
