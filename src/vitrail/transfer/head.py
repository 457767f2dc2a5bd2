"""The linear part of a classifier: scores of classes from scaled features, calibrated to probabilities."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from scipy.special import softmax

from vitrail.errors import BadRun

SHARPNESS = (0.05, 150.0)  # scores that separate everything would call for an infinite one


@dataclass(frozen=True)
class LinearHead:
    """Logits `sharpness * (features @ weights.T + intercept)`.

    Attributes:
        weights: (K, D), float32.
        intercept: (K,), float32.
        sharpness: makes the softmax of the scores a probability; it changes no prediction.
    """

    weights: np.ndarray = field(repr=False)
    intercept: np.ndarray = field(repr=False)
    sharpness: float

    def logits(self, features: np.ndarray) -> np.ndarray:
        """(n, K) of scaled features (n, D).

        Raises:
            BadRun: they are features of other layers.
        """
        check_width(features.shape[1], self.weights.shape[1])
        return np.asarray(self.sharpness * (features @ self.weights.T + self.intercept))

    def probabilities(self, features: np.ndarray) -> np.ndarray:
        """(n, K), rows summing to 1."""
        return np.asarray(softmax(self.logits(features), axis=1))

    def tensors(self) -> dict[str, np.ndarray]:
        """What `kept_head` makes the head from again."""
        sharpness = np.array([self.sharpness], np.float32)
        return {"weights": self.weights, "intercept": self.intercept, "sharpness": sharpness}


def kept_head(tensors: Mapping[str, np.ndarray], classes: int) -> LinearHead:
    """The head whose `tensors` these are.

    Raises:
        KeyError, ValueError: they are not those of a head for so many classes.
    """
    weights, intercept, sharpness = tensors["weights"], tensors["intercept"], tensors["sharpness"]
    if weights.ndim != 2 or (len(weights), intercept.shape, sharpness.shape) != (classes, (classes,), (1,)):
        shapes = f"{weights.shape}, {intercept.shape} and {sharpness.shape}"
        raise ValueError(f"tensors of shapes {shapes} for {classes} classes")
    for tensor in (weights, intercept, sharpness):
        if tensor.dtype != np.float32 or not np.isfinite(tensor).all():
            raise ValueError(f"a tensor of {tensor.dtype}, or with values that are no numbers")
    return LinearHead(weights, intercept, float(sharpness[0]))


def one_per_class(coefficients: np.ndarray, intercept: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Weights (K, D) and intercepts (K,), also for two classes, of which scikit-learn keeps only the second's."""
    if len(coefficients) == 1:
        coefficients, intercept = np.vstack([-coefficients, coefficients]), np.concatenate([-intercept, intercept])
    return coefficients.astype(np.float32), intercept.astype(np.float32)


def sharpness_of(scores: np.ndarray, labels: np.ndarray) -> float:
    """The factor on scores (n, K) that makes held-out labels (n,) likeliest (temperature scaling).

    Guo et al., 2017, https://arxiv.org/abs/1706.04599. Rows with NaN, never held out, do not count.
    """
    if scores.shape[1] == 1:
        scores = np.hstack([-scores, scores])
    seen = np.isfinite(scores).all(axis=1)
    scores, labels = scores[seen], labels[seen]

    right, sharpness = scores[np.arange(len(labels)), labels], 1.0
    for _ in range(50):  # Newton's method on a convex function of one number
        odds = softmax(sharpness * scores, axis=1)
        mean = (odds * scores).sum(axis=1)
        input_gradient, bend = (mean - right).mean(), ((odds * scores**2).sum(axis=1) - mean**2).mean()
        step = np.clip(sharpness - input_gradient / max(bend, 1e-12), sharpness / 4, 4 * sharpness)
        converged = abs(step - sharpness) < 1e-9 * sharpness
        sharpness = float(np.clip(step, *SHARPNESS))
        if converged:
            break
    return sharpness


def check_width(given: int, wanted: int) -> None:
    """Whether layers give as many features as a head takes.

    Raises:
        BadRun: they do not.
    """
    if given != wanted:
        raise BadRun(
            f"The classifier is damaged: its layers give {given} features and its head takes {wanted}; make it again."
        )
