"""Learning curve: accuracy against the number of images, and what more of them would bring."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from jaxtyping import Float32, Int64

from vitrail.dataset_check.ridge import MATRICES, Leaving, fit_ridge, solve_dual, targets_of
from vitrail.dataset_check.threads import in_threads
from vitrail.events import Progress
from vitrail.transfer.evaluation import NORMAL_QUANTILE, wilson_interval

SHARES = (1 / 16, 1 / 8, 1 / 4, 1 / 2, 0.8)  # of the images, that a classifier is fitted to
REPEATS = (12, 10, 8, 5, 5)  # fits at each share; the last are five folds
MOST = 20_000  # images that take part; a curve is no better known from more
DRAWS = 200  # of the bootstrap of the curve
EXPONENTS = np.linspace(0.3, 0.7, 9)  # of the curve: a wider range follows the noise of single curves
POSSIBLE = np.linspace(0.2, 2.0, 10)  # of its interval: by how well each fits
GRAM = 4096  # images of which all inner products are in memory: 64 MB
ROWS = 512  # of a block of them
FEWEST = 40  # images without which there is no curve


@dataclass(frozen=True)
class CurvePoint:
    """Accuracy of classifiers fitted to `images` images, on the others; `predicted`: by the curve, not measured."""

    images: int
    accuracy: float
    low: float
    high: float
    predicted: bool = False

    def values(self) -> dict[str, Any]:
        """As JSON values; the interval is one of 95 %."""
        return {
            "images": self.images,
            "accuracy": self.accuracy,
            "interval": [self.low, self.high],
            "predicted": self.predicted,
        }


@dataclass(frozen=True)
class LearningCurve:
    """Accuracy against the number of images.

    Attributes:
        points: in the order of their number of images; the last one is predicted, for twice as many images, and the one
            before it too if the accuracy at all images was not given.
        gain: what twice as many images would add to the accuracy, and its interval; None: undefined.
        undefined: why there is no curve; empty: there is one.
    """

    points: Sequence[CurvePoint]
    gain: tuple[float, float, float] | None
    undefined: str = ""
    fit: tuple[float, float, float] | None = field(default=None, repr=False)

    def predict(self, images: float) -> float:
        """Accuracy at a number of images.

        Raises:
            ValueError: the curve is undefined.
        """
        if self.fit is None:
            raise ValueError(f"There is no learning curve: {self.undefined}.")
        return float(_accuracy(np.array(self.fit), np.array([float(images)]))[0])


def learning_curve(
    features: Float32[np.ndarray, "n d"],
    labels: Int64[np.ndarray, " n"],
    classes: int,
    group: Int64[np.ndarray, " n"],
    *,
    ridge: float = 1.0,
    accuracy: float | None = None,
    seed: int = 0,
) -> Generator[Progress, None, LearningCurve]:
    """Yields progress and returns the curve: error = a + b · n^−c, fitted to classifiers on parts of the images.

    Errors of classifiers follow such power laws (Cortes et al., 1993,
    https://papers.nips.cc/paper/1993/hash/1aa48fc4880bb0c9b8a3bf979d3b917e-Abstract.html). Each class gives its share
    of each part, and an image's copies stay on its side. Intervals come from a bootstrap: over the images that were
    classified, and over the repeats.

    Args:
        group: number of the group of copies; −1: none.
        accuracy: of each image by a classifier fitted to all others, as `leave_out` gives it: the point at n images,
            which else is predicted.
    """
    rng = np.random.default_rng(seed)
    counts = np.bincount(labels, minlength=classes)
    rows = np.flatnonzero(counts[labels] > 1)
    if len(rows) < FEWEST or len(np.unique(labels[rows])) < 2:
        reason = f"{len(rows)} images of classes of two or more; a curve needs {FEWEST} and two classes"
        return LearningCurve((), None, reason)
    whole = len(rows)
    if accuracy is not None and wilson_interval(round(accuracy * whole), whole)[0] <= counts.max() / counts.sum():
        return LearningCurve((), None, "the features do not predict the labels better than chance")
    if len(rows) > MOST:
        rows = np.sort(rng.choice(rows, MOST, replace=False))
    if len(rows) < len(features):
        features, labels, group = features[rows], labels[rows], group[rows]
    fits = _Fits(features, labels, classes, ridge)
    sizes, right, tested = [], [], []
    done, total = 0, sum(REPEATS)
    for parts in _parts(labels, group, rng):
        for train, correct in zip(parts, fits.correct(parts), strict=True):
            done += 1
            if correct is None:
                continue
            sizes.append(int(train.sum()))
            right.append(correct)
            tested.append(int((~train).sum()))
        yield Progress("learning curve", done, total, "fits")
    if accuracy is not None:
        sizes, right, tested = [*sizes, whole], [*right, round(accuracy * whole)], [*tested, whole]
    return _curve(np.array(sizes), np.array(right), np.array(tested), whole, rng)


def _parts(labels: np.ndarray, group: np.ndarray, rng: np.random.Generator) -> Iterator[list[np.ndarray]]:
    """For each share, which images (n,) a classifier of each repeat is fitted to; the largest last, a few at a time."""
    for share, repeats in zip(SHARES, REPEATS, strict=True):
        if share > 0.5:
            order = _mixed(labels, group, rng)
            yield [_part(order, share, fold) for fold in range(repeats)]
        else:
            yield [_part(_mixed(labels, group, rng), share, 0) for _ in range(repeats)]


class _Fits:
    """Classifiers on parts of n images. Of few images, all inner products are computed once."""

    def __init__(self, features: np.ndarray, labels: np.ndarray, classes: int, ridge: float) -> None:
        self._features, self._labels, self._classes, self._ridge = features, labels, classes, ridge
        self._gram = _gram(features) if len(features) <= GRAM else None

    def correct(self, parts: Sequence[np.ndarray]) -> list[int | None]:
        """How many of the others classifiers fitted to parts (n,) get right; None: there is nothing to fit."""
        held_out = self._folds(parts)
        if held_out is None:
            return in_threads(self._correct, parts, most=MATRICES)
        scores = Leaving(self._features, self._labels, self._classes, held_out).scores(self._ridge)
        right = scores.argmax(axis=1) == self._labels
        return [int(right[~part].sum()) if self._can_be_fitted(part) else None for part in parts]

    def _folds(self, parts: Sequence[np.ndarray]) -> np.ndarray | None:
        """(n,), the part that leaves out each image, if all are left out once and one fit can serve all parts."""
        left_out = ~np.array(parts)
        few = self._features.shape[1] <= len(self._features) <= GRAM
        return left_out.argmax(axis=0) if few and (left_out.sum(axis=0) == 1).all() else None

    def _can_be_fitted(self, train: np.ndarray) -> bool:
        return not train.all() and len(np.unique(self._labels[train])) > 1

    def _correct(self, train: np.ndarray) -> int | None:
        if not self._can_be_fitted(train):
            return None
        if self._gram is None:
            fit = fit_ridge(self._features[train], self._labels[train], self._classes, self._ridge)
            scores = fit.scores(self._features[~train])
        else:
            scores = self._scores(self._gram, np.flatnonzero(train), np.flatnonzero(~train))
        return int((scores.argmax(axis=1) == self._labels[~train]).sum())

    def _scores(self, gram: np.ndarray, train: np.ndarray, test: np.ndarray) -> np.ndarray:
        inner = torch.from_numpy(gram[train[:, None], train])
        mean = inner.mean(dim=0)
        targets = torch.from_numpy(targets_of(self._labels[train], self._classes))
        offset = targets.mean(dim=0)
        dual = solve_dual(inner - mean - (mean - mean.mean())[:, None], targets - offset, self._ridge)
        # The weights of the rows sum to 0, so that the means of the rows of the test's inner products change nothing.
        return np.asarray((torch.from_numpy(gram[test[:, None], train]) - mean) @ dual + offset)


def _gram(features: np.ndarray) -> Float32[np.ndarray, "n n"]:
    """Inner products of the rows less their mean, by blocks on and above the diagonal."""
    centred = torch.from_numpy(features - features.mean(axis=0))
    n = len(features)
    gram = np.empty((n, n), np.float32)

    def fill(place: tuple[int, int]) -> None:
        rows, columns = (slice(start, start + ROWS) for start in place)
        gram[rows, columns] = (centred[rows] @ centred[columns].T).numpy()
        gram[columns, rows] = gram[rows, columns].T

    starts = range(0, n, ROWS)
    in_threads(fill, [(row, column) for row in starts for column in starts if row <= column])
    return gram


def _mixed(labels: np.ndarray, group: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """(n,), the place of each image in its class after mixing, in [0, 1): parts by place are stratified."""
    place = np.empty(len(labels))
    for label in np.unique(labels):
        rows = np.flatnonzero(labels == label)
        place[rows] = (rng.permutation(len(rows)) + rng.random()) / len(rows)
    for number in np.unique(group[group >= 0]):
        rows = np.flatnonzero(group == number)
        place[rows] = place[rows[0]]
    return place


def _part(place: np.ndarray, share: float, fold: int) -> np.ndarray:
    """(n,) bool, which images a classifier is fitted to: all places but those of a window of 1 − share."""
    start = fold * (1 - share)
    return np.asarray(~((place % 1 >= start - 1e-9) & (place % 1 < start + 1 - share - 1e-9)))


def _curve(sizes: np.ndarray, right: np.ndarray, tested: np.ndarray, n: int, rng: np.random.Generator) -> LearningCurve:
    taking_part = min(n, MOST)
    marks = np.array([*(share * taking_part for share in SHARES), n])
    point = np.abs(np.log(sizes[:, None] / marks)).argmin(axis=1) if len(sizes) else np.zeros(0, int)
    present = np.unique(point)
    measured = len(SHARES) in present
    if len(present) < 4:
        return LearningCurve((), None, "fewer than four sizes of parts hold two classes")
    shares = right / tested
    where = np.array([sizes[point == each].mean() for each in present])
    accuracy = np.array([shares[point == each].mean() for each in present])
    spread = np.array([0.0 if each == len(SHARES) else _deviation(shares[point == each]) for each in present])
    # All sizes are tested on much the same images: how hard these are moves all points together.
    common = np.sqrt(np.maximum(accuracy[-1] * (1 - accuracy[-1]), 0.5 / n) / n)
    weights = 1 / (spread**2 + (0.002 + 0.2 * common) ** 2)
    best = _fit(where, accuracy, weights)
    beyond = np.array([float(n), 2.0 * n])
    draws = np.clip(accuracy + rng.normal(0, 1, (DRAWS, len(where))) / np.sqrt(weights), 0, 1)
    drawn = np.array([_accuracy(_drawn_fit(where, draw, weights, rng), beyond) for draw in draws])
    moved = drawn + rng.normal(0, common, (DRAWS, 1))
    half = NORMAL_QUANTILE * np.sqrt(spread**2 + common**2)
    points = [
        CurvePoint(round(float(size)), float(value), max(0.0, float(value - reach)), min(1.0, float(value + reach)))
        for size, value, reach in zip(where, accuracy, half, strict=True)
    ]
    for place, images in enumerate(beyond):
        if place == 0 and measured:
            continue
        low, high = np.clip(np.quantile(moved[:, place], [0.025, 0.975]), 0, 1)
        value = float(_accuracy(best, images[None])[0])
        points.append(CurvePoint(round(images), value, min(value, float(low)), max(value, float(high)), True))
    gains = drawn[:, 1] - drawn[:, 0]
    low, high = (float(value) for value in np.quantile(gains, [0.025, 0.975]))
    gain = float(_accuracy(best, beyond[1:])[0] - _accuracy(best, beyond[:1])[0])
    return LearningCurve(
        tuple(points), (gain, min(low, gain), max(high, gain)), "", (float(best[0]), float(best[1]), float(best[2]))
    )


def _deviation(values: np.ndarray) -> float:
    """Standard error of the mean; of a single value, a point."""
    return float(values.std(ddof=1) / np.sqrt(len(values))) if len(values) > 1 else 0.01


def _accuracy(fit: np.ndarray, images: np.ndarray) -> np.ndarray:
    limit, factor, exponent = fit
    return np.asarray(np.clip(1 - limit - factor * images**-exponent, 0, 1))


def _fit(images: np.ndarray, accuracy: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Limit, factor and exponent of the curve that fits best."""
    fits, losses = _fits(images, accuracy, weights, EXPONENTS)
    return np.asarray(fits[int(losses.argmin())])


def _drawn_fit(images: np.ndarray, accuracy: np.ndarray, weights: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Of curves of all exponents one, drawn by its likelihood: what lies beyond the data depends on the exponent."""
    fits, losses = _fits(images, accuracy, weights, POSSIBLE)
    likelihoods = np.exp((losses.min() - losses) / 2)
    return np.asarray(fits[rng.choice(len(fits), p=likelihoods / likelihoods.sum())])


def _fits(
    images: np.ndarray, accuracy: np.ndarray, weights: np.ndarray, exponents: np.ndarray
) -> tuple[list[tuple[float, float, float]], np.ndarray]:
    """For each exponent the weighted least squares in closed form, limit and factor not below 0; and its loss."""
    error, fits, losses = 1 - accuracy, [], []
    for exponent in exponents.tolist():
        power = images**-exponent
        mean_power, mean_error = ((weights * each).sum() / weights.sum() for each in (power, error))
        spread = (weights * (power - mean_power) ** 2).sum()
        factor = (weights * (power - mean_power) * (error - mean_error)).sum() / spread
        limit = mean_error - factor * mean_power
        candidates = [(limit, factor)]
        if factor < 0 or limit < 0:
            candidates = [(mean_error, 0.0), (0.0, (weights * power * error).sum() / (weights * power * power).sum())]
        found = [
            (float((weights * (error - limit - factor * power) ** 2).sum()), limit, factor)
            for limit, factor in candidates
        ]
        loss, limit, factor = min(found)
        fits.append((float(limit), float(factor), exponent))
        losses.append(loss)
    return fits, np.array(losses)
