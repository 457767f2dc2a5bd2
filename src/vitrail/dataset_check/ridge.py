"""Ridge regression on labels, and what it predicts for each image without having seen it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import torch
from jaxtyping import Float, Float32, Int64
from scipy.special import softmax
from torch import Tensor

from vitrail.transfer.head import fit_logit_scale

RIDGES = (0.1, 0.3, 1.0, 3.0)  # times the mean squared length of a centred row
SAMPLES = 2000  # images on which the ridge is chosen, at most
ROWS = 4096  # of features that are worked on at a time
LEAST = 1e-6  # of 1 − leverage: rounding


@dataclass(frozen=True)
class LeftOut:
    """What a classifier says of each image that was not among those it was fitted to.

    Attributes:
        probabilities: (n, K), rows summing to 1.
        ridge: times the mean squared length of a row.
    """

    probabilities: Float[np.ndarray, "n K"] = field(repr=False)
    ridge: float

    def accuracy(self, labels: Int64[np.ndarray, " n"]) -> float:
        """Share of images whose most probable class is their label."""
        return float((self.probabilities.argmax(axis=1) == labels).mean())


def leave_out(
    features: Float32[np.ndarray, "n d"],
    labels: Int64[np.ndarray, " n"],
    classes: int,
    group: Int64[np.ndarray, " n"],
    *,
    seed: int = 0,
) -> LeftOut:
    """Probabilities of each image by ridge regression on all others, its own copies left out with it.

    In closed form: with H the hat matrix and G an image and its copies, the residuals of G by the fit without G are
    (I − H_GG)⁻¹ times those by the fit to all (Allen, 1974, https://doi.org/10.2307/1267500). Scores become
    probabilities by temperature scaling. The ridge is the one of highest likelihood on a sample.

    Args:
        features: scaled as `vitrail.transfer.scaling.scale` does.
        group: number of the group of copies; −1: none.
        seed: of the sample.
    """
    rows = np.arange(len(features))
    if len(rows) > SAMPLES:
        rows = np.sort(np.random.default_rng(seed).choice(rows, SAMPLES, replace=False))
    likelihoods = [_likelihood(features[rows], labels[rows], classes, group[rows], ridge) for ridge in RIDGES]
    ridge = RIDGES[int(np.argmax(likelihoods))]
    scores = _left_out_scores(features, labels, classes, group, ridge)
    return LeftOut(_probabilities(scores, labels), ridge)


def _likelihood(features: np.ndarray, labels: np.ndarray, classes: int, group: np.ndarray, ridge: float) -> float:
    probabilities = _probabilities(_left_out_scores(features, labels, classes, group, ridge), labels)
    return float(np.log(np.maximum(probabilities[np.arange(len(labels)), labels], 1e-12)).mean())


def _probabilities(scores: np.ndarray, labels: np.ndarray) -> Float[np.ndarray, "n K"]:
    return np.asarray(softmax(fit_logit_scale(scores, labels) * scores, axis=1))


@dataclass(frozen=True)
class RidgeFit:
    """Scores `(x − mean) @ weights + offset` of classes."""

    mean: Tensor
    weights: Tensor
    offset: Tensor

    def scores(self, features: Float32[np.ndarray, "m d"]) -> Float32[np.ndarray, "m K"]:
        """Scores of the classes, 1 for the label and −1 for others where the fit is perfect."""
        parts = [(block - self.mean) @ self.weights + self.offset for block in _blocks(features)]
        return np.asarray(torch.cat(parts).numpy())


def fit_ridge(features: Float32[np.ndarray, "n d"], labels: np.ndarray, classes: int, ridge: float) -> RidgeFit:
    """Least squares on targets of 1 and −1, one column a class, with intercept.

    Solved in the smaller of n and d dimensions.
    """
    if len(features) >= features.shape[1]:
        return _fit_primal(features, labels, classes, ridge)[0]
    mean, targets, offset = _centre(features, labels, classes)
    centred = torch.from_numpy(features) - mean
    gram = centred @ centred.T
    gram.diagonal().add_(max(ridge * float(gram.diagonal().mean()), 1e-6))
    factor = torch.linalg.cholesky(gram.double())
    dual = torch.cholesky_solve((targets - offset).double(), factor).float()
    return RidgeFit(mean, centred.T @ dual, offset)


def _centre(features: np.ndarray, labels: np.ndarray, classes: int) -> tuple[Tensor, Tensor, Tensor]:
    """Mean of the features, the targets (n, K), and their mean."""
    mean = torch.from_numpy(features.mean(axis=0, dtype=np.float64).astype(np.float32))
    targets = torch.from_numpy(np.where(labels[:, None] == np.arange(classes), 1.0, -1.0).astype(np.float32))
    return mean, targets, targets.mean(dim=0)


def _fit_primal(features: np.ndarray, labels: np.ndarray, classes: int, ridge: float) -> tuple[RidgeFit, Tensor]:
    """The fit, and the lower Cholesky factor (d, d) of its normal matrix."""
    mean, targets, offset = _centre(features, labels, classes)
    dimension = features.shape[1]
    normal, right = torch.zeros(dimension, dimension), torch.zeros(dimension, classes)
    for start, block in zip(range(0, len(features), ROWS), _blocks(features), strict=True):
        centred = block - mean
        normal.addmm_(centred.T, centred)
        right.addmm_(centred.T, targets[start : start + ROWS] - offset)
    scale = float(normal.diagonal().sum()) / len(features)
    normal.diagonal().add_(max(ridge * scale, 1e-6))
    factor = torch.linalg.cholesky(normal.double()).float()
    return RidgeFit(mean, torch.cholesky_solve(right, factor), offset), factor


def _left_out_scores(
    features: np.ndarray, labels: np.ndarray, classes: int, group: np.ndarray, ridge: float
) -> Float32[np.ndarray, "n K"]:
    fit, factor = _fit_primal(features, labels, classes, ridge)
    n = len(features)
    scores, leverage = np.empty((n, classes), np.float32), np.empty(n, np.float32)
    for start, block in zip(range(0, n, ROWS), _blocks(features), strict=True):
        rows = slice(start, start + ROWS)
        leverage[rows] = _whitened(fit, factor, block).square().sum(dim=0).numpy() + 1 / n  # the mean is fitted as well
        scores[rows] = ((block - fit.mean) @ fit.weights + fit.offset).numpy()
    targets = np.where(labels[:, None] == np.arange(classes), 1.0, -1.0).astype(np.float32)
    residuals = targets - scores
    left_out = targets - residuals / np.maximum(1 - leverage, LEAST)[:, None]
    for number in np.unique(group[group >= 0]):
        copies = np.flatnonzero(group == number)
        white = _whitened(fit, factor, torch.from_numpy(features[copies])).double()
        matrix = torch.eye(len(copies), dtype=torch.float64) * (1 + LEAST) - white.T @ white - 1 / n
        solved = torch.linalg.solve(matrix, torch.from_numpy(residuals[copies]).double())
        left_out[copies] = targets[copies] - solved.numpy()
    return left_out


def _whitened(fit: RidgeFit, factor: Tensor, block: Tensor) -> Tensor:
    """(d, m), whose inner products are the entries of the hat matrix."""
    white: Tensor = torch.linalg.solve_triangular(factor, (block - fit.mean).T, upper=False)
    return white


def _blocks(features: np.ndarray) -> Iterator[Tensor]:
    for start in range(0, len(features), ROWS):
        yield torch.from_numpy(np.ascontiguousarray(features[start : start + ROWS]))
