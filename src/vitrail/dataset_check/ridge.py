"""Ridge regression on labels, and what it predicts for each image without having seen it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Float32, Int64
from scipy.special import softmax
from torch import Tensor

from vitrail.dataset_check.threads import in_threads
from vitrail.transfer.head import fit_logit_scale

RIDGES = (0.1, 0.3, 1.0, 3.0)  # times the mean squared length of a centred row
SAMPLES = 2000  # images on which the ridge is chosen, at most
ROWS = 1024  # of features that are worked on at a time
SUMS = 2  # of blocks of rows, which are added up in threads: each takes d² numbers
MATRICES = 4  # of d², or of as many rows as a curve has, that are factored at a time
LEAST = 1e-6  # of 1 − leverage: rounding
DIGITS = 4  # of scores: beyond is rounding, and images of which nothing is known tie

Run = Callable[[Callable[[Any], Any], Iterable[Any]], list[Any]]


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
    ridge = _best_ridge(Leaving(features[rows], labels[rows], classes, group[rows]))
    scores = Leaving(features, labels, classes, group).scores(ridge)
    return LeftOut(_probabilities(scores, labels), ridge)


def _best_ridge(sample: Leaving) -> float:
    likelihoods = in_threads(lambda ridge: _likelihood(sample, ridge), RIDGES, most=MATRICES)
    return RIDGES[int(np.argmax(likelihoods))]


def _likelihood(sample: Leaving, ridge: float) -> float:
    probabilities = _probabilities(sample.scores(ridge, _in_turn), sample.labels)
    own = probabilities[np.arange(len(probabilities)), sample.labels]
    return float(np.log(np.maximum(own, 1e-12)).mean())


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
        blocks = (torch.from_numpy(features[start : start + ROWS]) for start in range(0, len(features), ROWS))
        return np.asarray(torch.cat([(block - self.mean) @ self.weights + self.offset for block in blocks]).numpy())


def fit_ridge(features: Float32[np.ndarray, "n d"], labels: np.ndarray, classes: int, ridge: float) -> RidgeFit:
    """Least squares on targets of 1 and −1, one column a class, with intercept.

    Solved in the smaller of n and d dimensions.
    """
    if len(features) >= features.shape[1]:
        return _Normal(features, labels, classes, _in_turn).fit(ridge)[0]
    mean, targets, offset = _centre(features, labels, classes)
    centred = torch.from_numpy(features) - mean
    dual = solve_dual(centred @ centred.T, targets - offset, ridge)
    return RidgeFit(mean, centred.T @ dual, offset)


def solve_dual(gram: Tensor, targets: Tensor, ridge: float) -> Tensor:
    """(m, K), the weights of the rows: of the centred Gram matrix (m, m), which is changed, and centred targets."""
    gram.diagonal().add_(max(ridge * float(gram.diagonal().mean()), 1e-6))
    factor = torch.linalg.cholesky(gram.double())
    return torch.cholesky_solve(targets.double(), factor).float()


def targets_of(labels: np.ndarray, classes: int) -> Float32[np.ndarray, "n K"]:
    """1 for the label, −1 for other classes."""
    return np.where(labels[:, None] == np.arange(classes), np.float32(1), np.float32(-1))


def _centre(features: np.ndarray, labels: np.ndarray, classes: int) -> tuple[Tensor, Tensor, Tensor]:
    """Mean of the features, the targets (n, K), and their mean."""
    mean = torch.from_numpy(features.mean(axis=0, dtype=np.float64).astype(np.float32))
    targets = torch.from_numpy(targets_of(labels, classes))
    return mean, targets, targets.mean(dim=0)


class _Normal:
    """Normal equations in d dimensions, which fits of all ridges share."""

    def __init__(self, features: np.ndarray, labels: np.ndarray, classes: int, run: Run) -> None:
        self._mean, targets, self._offset = _centre(features, labels, classes)

        def sums(first: int) -> tuple[Tensor, Tensor]:
            matrix, right = torch.zeros(len(self._mean), len(self._mean)), torch.zeros(len(self._mean), classes)
            for start in range(first * ROWS, len(features), SUMS * ROWS):
                centred = torch.from_numpy(features[start : start + ROWS]) - self._mean
                matrix.addmm_(centred.T, centred)
                right.addmm_(centred.T, targets[start : start + ROWS] - self._offset)
            return matrix, right

        (self._matrix, self._right), *others = run(sums, range(SUMS))
        for matrix, right in others:
            self._matrix += matrix
            self._right += right
        self._length = float(self._matrix.diagonal().sum()) / len(features)

    def fit(self, ridge: float) -> tuple[RidgeFit, Tensor]:
        """The fit, and the lower Cholesky factor (d, d) of its normal matrix."""
        matrix = self._matrix.double()
        matrix.diagonal().add_(max(ridge * self._length, 1e-6))
        factor = torch.linalg.cholesky(matrix).float()
        return RidgeFit(self._mean, torch.cholesky_solve(self._right, factor), self._offset), factor


class Leaving:
    """Fits to all images, and what they say of each image once it and its copies are left out."""

    def __init__(self, features: np.ndarray, labels: np.ndarray, classes: int, group: np.ndarray) -> None:
        self.labels = labels
        self._features, self._group, self._targets = features, group, targets_of(labels, classes)
        self._normal = _Normal(features, labels, classes, in_threads)

    def scores(self, ridge: float, run: Run = in_threads) -> Float32[np.ndarray, "n K"]:
        """(n, K), as `RidgeFit.scores`."""
        ((fit, factor),) = run(self._normal.fit, [ridge])
        n, targets = len(self._features), self._targets
        scores, leverage = np.empty_like(targets), np.empty(n, np.float32)

        def predict(start: int) -> None:
            rows = slice(start, start + ROWS)
            block = torch.from_numpy(self._features[rows])
            # The mean is fitted as well.
            leverage[rows] = _whitened(fit, factor, block).square().sum(dim=0).numpy() + 1 / n
            scores[rows] = ((block - fit.mean) @ fit.weights + fit.offset).numpy()

        run(predict, range(0, n, ROWS))
        residuals = targets - scores
        left_out = targets - residuals / np.maximum(1 - leverage, LEAST)[:, None]

        def leave(number: int) -> None:
            copies = np.flatnonzero(self._group == number)
            given = torch.from_numpy(residuals[copies]).double()
            if len(copies) > len(fit.mean):
                solved = self._solve_many(copies, fit, factor, given)
            else:
                white = _whitened(fit, factor, torch.from_numpy(self._features[copies])).double()
                solved = _solve(torch.eye(len(copies), dtype=torch.float64) - white.T @ white - 1 / n, given)
            left_out[copies] = targets[copies] - solved.numpy()

        run(leave, np.unique(self._group[self._group >= 0]).tolist())
        return np.asarray(np.round(left_out, DIGITS), np.float32)

    def _solve_many(self, copies: np.ndarray, fit: RidgeFit, factor: Tensor, given: Tensor) -> Tensor:
        """(I − UᵀU)⁻¹ r = r + Uᵀ (I − UUᵀ)⁻¹ U r, where U has more columns, the copies, than rows."""
        starts, d = range(0, len(copies), ROWS), len(fit.mean)

        def columns(start: int) -> Tensor:
            block = torch.from_numpy(self._features[copies[start : start + ROWS]])
            mean = torch.full((1, len(block)), len(self._features) ** -0.5)  # it is fitted as well
            return torch.cat([_whitened(fit, factor, block), mean]).double()

        inner, right = torch.eye(d + 1, dtype=torch.float64), torch.zeros(d + 1, given.shape[1], dtype=torch.float64)
        for start in starts:
            white = columns(start)
            inner -= white @ white.T
            right += white @ given[start : start + ROWS]
        solved = _solve(inner, right)
        return torch.cat([given[start : start + ROWS] + columns(start).T @ solved for start in starts])


def _solve(matrix: Tensor, right: Tensor) -> Tensor:
    """The solution; of a matrix that rounding makes singular, that of one a little larger."""
    solved: Tensor
    solved, fault = torch.linalg.solve_ex(matrix, right)
    if int(fault) or not bool(torch.isfinite(solved).all()):
        matrix.diagonal().add_(LEAST)
        solved = torch.linalg.solve(matrix, right)
    return solved


def _whitened(fit: RidgeFit, factor: Tensor, block: Tensor) -> Tensor:
    """(d, m), whose inner products are the entries of the hat matrix."""
    white: Tensor = torch.linalg.solve_triangular(factor, (block - fit.mean).T, upper=False)
    return white


def _in_turn(function: Callable[[Any], Any], items: Iterable[Any]) -> list[Any]:
    """As `in_threads`, in this one."""
    return list(map(function, items))
