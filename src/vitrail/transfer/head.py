"""Linear head of a classifier: logits of the classes from scaled features, calibrated by temperature scaling."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from scipy.special import softmax

from vitrail.errors import BadRun

LOGIT_SCALES = (0.05, 150.0)  # bounds: perfectly separated classes would give an infinite scale


@dataclass(frozen=True)
class LinearHead:
    """Logits `logit_scale * (features @ weights.T + intercept)`.

    Attributes:
        weights: (K, D), float32.
        intercept: (K,), float32.
        logit_scale: 1 / temperature; calibrates the softmax of the logits and changes no prediction.
    """

    weights: np.ndarray = field(repr=False)
    intercept: np.ndarray = field(repr=False)
    logit_scale: float

    def logits(self, features: np.ndarray) -> np.ndarray:
        """(n, K) of scaled features (n, D).

        Raises:
            BadRun: D is not the width of the head.
        """
        check_width(features.shape[1], self.weights.shape[1])
        return np.asarray(self.logit_scale * (features @ self.weights.T + self.intercept))

    def probabilities(self, features: np.ndarray) -> np.ndarray:
        """(n, K), rows summing to 1."""
        return np.asarray(softmax(self.logits(features), axis=1))

    def tensors(self) -> dict[str, np.ndarray]:
        """The tensors of a file, for `unpack_head`."""
        logit_scale = np.array([self.logit_scale], np.float32)
        return {"weights": self.weights, "intercept": self.intercept, "logit_scale": logit_scale}


def unpack_head(tensors: Mapping[str, np.ndarray], classes: int) -> LinearHead:
    """The head from the tensors of its file.

    Raises:
        KeyError, ValueError: a tensor is missing, or its shape, type or values do not fit this number of classes.
    """
    weights, intercept, logit_scale = tensors["weights"], tensors["intercept"], tensors["logit_scale"]
    if weights.ndim != 2 or (len(weights), intercept.shape, logit_scale.shape) != (classes, (classes,), (1,)):
        shapes = f"{weights.shape}, {intercept.shape} and {logit_scale.shape}"
        raise ValueError(f"tensors of shapes {shapes} for {classes} classes")
    for tensor in (weights, intercept, logit_scale):
        if tensor.dtype != np.float32 or not np.isfinite(tensor).all():
            raise ValueError(f"a tensor of {tensor.dtype}, or with NaN or infinite values")
    return LinearHead(weights, intercept, float(logit_scale[0]))


def one_per_class(coefficients: np.ndarray, intercept: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Weights (K, D) and intercepts (K,); for two classes scikit-learn gives one row, of the second class."""
    if len(coefficients) == 1:
        coefficients, intercept = np.vstack([-coefficients, coefficients]), np.concatenate([-intercept, intercept])
    return coefficients.astype(np.float32), intercept.astype(np.float32)


def fit_logit_scale(scores: np.ndarray, labels: np.ndarray) -> float:
    """Temperature scaling: the factor on scores (n, K) that maximises the likelihood of held-out labels (n,).

    Guo et al., 2017, https://arxiv.org/abs/1706.04599. Rows with NaN, which were never held out, are ignored.
    """
    if scores.shape[1] == 1:
        scores = np.hstack([-scores, scores])
    valid = np.isfinite(scores).all(axis=1)
    scores, labels = scores[valid], labels[valid]

    correct, logit_scale = scores[np.arange(len(labels)), labels], 1.0
    for _ in range(50):  # Newton's method on a convex function of one number
        probabilities = softmax(logit_scale * scores, axis=1)
        mean = (probabilities * scores).sum(axis=1)
        derivative, curvature = (mean - correct).mean(), ((probabilities * scores**2).sum(axis=1) - mean**2).mean()
        step = np.clip(logit_scale - derivative / max(curvature, 1e-12), logit_scale / 4, 4 * logit_scale)
        converged = abs(step - logit_scale) < 1e-9 * logit_scale
        logit_scale = float(np.clip(step, *LOGIT_SCALES))
        if converged:
            break
    return logit_scale


def check_width(given: int, expected: int) -> None:
    """Checks the number of features of the layers against the width of the head.

    Raises:
        BadRun: they differ.
    """
    if given != expected:
        raise BadRun(
            f"The classifier is damaged: its layers give {given} features, its head takes {expected}. Use another run."
        )
