"""Turns labelled samples into columns of two-class problems: one per class, and per fold when cross-validating."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int
from numpy import ndarray

from vitrail.errors import BadSetting
from vitrail.linear_svm.squared_hinge import Problems, Solver, Stop, solve_path

Labels = Int[ndarray, " samples"]
ClassWeights = Callable[[Labels, Float[ndarray, " samples"]], Float[ndarray, " classes"]]
"""Factor of C per class, from labels and the weight of each sample (0 where it is held out)."""

ALWAYS_TRAINING = -1
TABLE_NUMBERS = 2**23  # samples times problems solved at once: 64 MB a table of doubles


def equal_weights(labels: Labels, weight: Float[ndarray, " samples"]) -> Float[ndarray, " classes"]:
    """The same C for every class."""
    return np.ones(labels.max() + 1)


def class_weights(
    class_weight: Any, classes: ndarray, labels: Labels, weight: Float[ndarray, " samples"]
) -> Float[ndarray, " classes"]:
    """Factor of C per class, as scikit-learn's `class_weight` says; "balanced" makes the weight of all equal."""
    if isinstance(class_weight, str) and class_weight == "balanced":
        return np.asarray(weight.sum() / (len(classes) * np.bincount(labels, weights=weight)))
    from sklearn.utils.class_weight import compute_class_weight

    return np.asarray(compute_class_weight(class_weight, classes=classes, y=classes[labels]), dtype=np.float64)


def one_vs_rest(
    labels: Labels, factors: Float[ndarray, " classes"], weight: Float[ndarray, " samples"], *, positives: ndarray
) -> Problems:
    """Column of signs and weights for each class in `positives`.

    Like LinearSVC, a class's factor applies to its own samples in its own problem, and to both of two classes.
    """
    own = labels[:, None] == positives
    rest = factors[labels][:, None] if len(factors) == 2 else 1.0
    return Problems(np.where(own, 1.0, -1.0), weight[:, None] * np.where(own, factors[positives], rest))


def positives_of(classes: int) -> Int[ndarray, " columns"]:
    """Positive class of every problem: all of them, or the second of two."""
    return np.arange(classes) if classes > 2 else np.array([1])


def blocks_of(columns: ndarray, samples: int) -> list[ndarray]:
    """Columns cut into as few equal blocks as memory allows."""
    return np.array_split(columns, min(len(columns), -(-len(columns) * samples // TABLE_NUMBERS)))


def stratified_folds(labels: Labels, *, folds: int, seed: int) -> Int[ndarray, " samples"]:
    """Fold that holds each sample out, or ALWAYS_TRAINING for the only sample of its class.

    There are as many folds as asked for, or as the smallest class of two or more has samples. The folds are those of
    scikit-learn's `StratifiedKFold(shuffle=True, random_state=seed)`, so that searches can be compared.

    Raises:
        BadSetting: `folds` is below 2, or no class has two samples.
    """
    if folds < 2:
        raise BadSetting(f"folds must be at least 2; got {folds}; the default is 5.")
    counts = np.bincount(labels)
    if counts.max() < 2:
        raise BadSetting(
            "Cross-validation needs a class of at least 2 samples to hold one out; got 1 sample of every class. "
            "Use LinearSVM with a C of your choice."
        )
    part = np.full(len(labels), ALWAYS_TRAINING)
    shared = np.flatnonzero(counts[labels] > 1)
    part[shared] = _assign_folds(labels[shared], min(folds, int(counts[counts > 1].min())), seed)
    return part


def _assign_folds(labels: Labels, folds: int, seed: int) -> Int[ndarray, " samples"]:
    """A fold for each sample: the labels in order are dealt out like cards, then shuffled within each class."""
    _, first = np.unique(labels, return_index=True)
    classes = labels[np.sort(first)]  # in order of appearance, as scikit-learn counts them
    number = np.argsort(classes)[np.searchsorted(np.sort(classes), labels)]
    ordered = np.sort(number)
    share = [np.bincount(ordered[fold::folds], minlength=len(classes)) for fold in range(folds)]
    generator, part = np.random.RandomState(seed), np.empty(len(labels), int)
    for index in range(len(classes)):
        own = np.repeat(np.arange(folds), [counts[index] for counts in share])
        generator.shuffle(own)
        part[number == index] = own
    return part


@dataclass(frozen=True)
class CrossValidation:
    """What cross-validation found.

    Args:
        accuracy: (folds, Cs), share of each held-out part classified rightly.
        scores: (Cs, n, K) in single precision, or K = 1 for two classes; NaN where a sample was never held out.
        gap: (Cs,), the largest relative gap of any class and fold.
    """

    accuracy: Float[ndarray, "folds Cs"]
    scores: Float[ndarray, "Cs samples columns"]
    gap: Float[ndarray, " Cs"]


@dataclass(frozen=True)
class FoldFit:
    """Labelled samples, cut into parts that are held out in turn."""

    labels: Labels
    part: Int[ndarray, " samples"]
    factors: ClassWeights = equal_weights

    def run(self, solver: Solver, Cs: Sequence[float], stop: Stop) -> CrossValidation:
        """Follows the path of every class and fold; all share the space, as held-out samples only weigh nothing."""
        positives = positives_of(int(self.labels.max()) + 1)
        folds = np.arange(self.part.max() + 1)
        scores = np.full((len(Cs), len(self.labels), len(positives)), np.nan, dtype=np.float32)
        gap = np.zeros(len(Cs))
        for block in blocks_of(np.arange(len(folds) * len(positives)), len(self.labels)):
            fold, column = np.divmod(block, len(positives))
            problems = self._problems(fold, positives[column])
            held_out = self.part[:, None] == fold
            rows, places = np.nonzero(held_out)
            for number, solution in enumerate(solve_path(solver, problems, Cs, stop)):
                scores[number, rows, column[places]] = solution.scores[rows, places]
                gap[number] = max(gap[number], solution.gap.max())
        right = self._right(scores)
        return CrossValidation(np.stack([right[:, self.part == fold].mean(axis=1) for fold in folds]), scores, gap)

    def _problems(self, fold: ndarray, positive: ndarray) -> Problems:
        """Column per pair of fold and positive class."""
        parts = []
        for held_out in np.unique(fold):
            training = (self.part != held_out).astype(float)
            factors = self.factors(self.labels, training)
            parts.append(one_vs_rest(self.labels, factors, training, positives=positive[fold == held_out]))
        return Problems(np.hstack([p.signs for p in parts]), np.hstack([p.weights for p in parts]))

    def _right(self, scores: Float[ndarray, "Cs samples columns"]) -> Bool[ndarray, "Cs samples"]:
        if scores.shape[-1] == 1:
            return np.asarray((scores[..., 0] > 0) == self.labels)
        return np.asarray(scores.argmax(axis=-1) == self.labels)
