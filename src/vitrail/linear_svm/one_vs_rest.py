"""Two-class problems, one a column, from labelled samples: one per class, and per fold in cross-validation."""

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
TABLE_NUMBERS = 2**23  # samples times problems solved together: 64 MB a table of doubles


def equal_weights(labels: Labels, weight: Float[ndarray, " samples"]) -> Float[ndarray, " classes"]:
    """The same C for every class."""
    return np.ones(labels.max() + 1)


def class_weights(
    class_weight: Any, classes: ndarray, labels: Labels, weight: Float[ndarray, " samples"]
) -> Float[ndarray, " classes"]:
    """Factor of C per class, as scikit-learn's `class_weight`; "balanced" gives every class the same total weight."""
    if isinstance(class_weight, str) and class_weight == "balanced":
        return np.asarray(weight.sum() / (len(classes) * np.bincount(labels, weights=weight)))
    from sklearn.utils.class_weight import compute_class_weight

    return np.asarray(compute_class_weight(class_weight, classes=classes, y=classes[labels]), dtype=np.float64)


def one_vs_rest(
    labels: Labels, factors: Float[ndarray, " classes"], weight: Float[ndarray, " samples"], *, positives: ndarray
) -> Problems:
    """A column of signs and weights for each class in `positives`.

    As in LinearSVC, a class's factor applies to its own samples in its own problem, and to both of two classes.
    """
    own = labels[:, None] == positives
    rest = factors[labels][:, None] if len(factors) == 2 else 1.0
    return Problems(np.where(own, 1.0, -1.0), weight[:, None] * np.where(own, factors[positives], rest))


def positives_of(classes: int) -> Int[ndarray, " columns"]:
    """Positive class of every problem: all of them, or the second of two."""
    return np.arange(classes) if classes > 2 else np.array([1])


def blocks_of(columns: ndarray, samples: int) -> list[ndarray]:
    """Columns in as few equal blocks as `TABLE_NUMBERS` allows."""
    return np.array_split(columns, min(len(columns), -(-len(columns) * samples // TABLE_NUMBERS)))


def stratified_folds(labels: Labels, *, folds: int, seed: int) -> Int[ndarray, " samples"]:
    """(n,), the fold in which each sample is held out, or ALWAYS_TRAINING for the only sample of its class.

    The number of folds is `folds`, or the size of the smallest class of two or more samples. The folds equal those of
    scikit-learn's `StratifiedKFold(shuffle=True, random_state=seed)`, so that searches can be compared.

    Raises:
        BadSetting: `folds` is below 2, or no class has two samples.
    """
    if folds < 2:
        raise BadSetting(f"folds must be at least 2; got {folds}. Use e.g. 5.")
    counts = np.bincount(labels)
    if counts.max() < 2:
        raise BadSetting(
            "Cross-validation needs a class of at least 2 samples; got 1 sample of every class. "
            "Use LinearSVM with a fixed C."
        )
    fold_of = np.full(len(labels), ALWAYS_TRAINING)
    several = np.flatnonzero(counts[labels] > 1)
    fold_of[several] = _assign_folds(labels[several], min(folds, int(counts[counts > 1].min())), seed)
    return fold_of


def _assign_folds(labels: Labels, folds: int, seed: int) -> Int[ndarray, " samples"]:
    """A fold for each sample: sorted labels are assigned in turn, then shuffled within each class."""
    _, first = np.unique(labels, return_index=True)
    classes = labels[np.sort(first)]  # in order of appearance, as scikit-learn counts them
    number = np.argsort(classes)[np.searchsorted(np.sort(classes), labels)]
    ordered = np.sort(number)
    share = [np.bincount(ordered[fold::folds], minlength=len(classes)) for fold in range(folds)]
    generator, fold_of = np.random.RandomState(seed), np.empty(len(labels), int)
    for index in range(len(classes)):
        own = np.repeat(np.arange(folds), [counts[index] for counts in share])
        generator.shuffle(own)
        fold_of[number == index] = own
    return fold_of


@dataclass(frozen=True)
class CrossValidation:
    """Accuracy and scores of cross-validation.

    Attributes:
        accuracy: (folds, Cs), accuracy on each held-out fold.
        scores: (Cs, n, K) in single precision, or K = 1 for two classes; NaN where a sample was never held out.
        gap: (Cs,), the largest relative gap of any class and fold.
    """

    accuracy: Float[ndarray, "folds Cs"]
    scores: Float[ndarray, "Cs samples columns"]
    gap: Float[ndarray, " Cs"]


@dataclass(frozen=True)
class CrossValidator:
    """Labelled samples in folds that are held out in turn.

    Args:
        labels: (n,), indices of classes.
        fold_of: (n,), as `stratified_folds` gives it.
        class_weight_of: factors of C from the labels and weights of a training fold.
    """

    labels: Labels
    fold_of: Int[ndarray, " samples"]
    class_weight_of: ClassWeights = equal_weights

    def run(self, solver: Solver, Cs: Sequence[float], stop: Stop) -> CrossValidation:
        """Solves the path of C for every class and fold; one solver serves all, as held-out samples have weight 0."""
        positives = positives_of(int(self.labels.max()) + 1)
        folds = np.arange(self.fold_of.max() + 1)
        scores = np.full((len(Cs), len(self.labels), len(positives)), np.nan, dtype=np.float32)
        gap = np.zeros(len(Cs))
        for block in blocks_of(np.arange(len(folds) * len(positives)), len(self.labels)):
            fold, column = np.divmod(block, len(positives))
            problems = self._problems(fold, positives[column])
            held_out = self.fold_of[:, None] == fold
            rows, places = np.nonzero(held_out)
            for number, solution in enumerate(solve_path(solver, problems, Cs, stop)):
                scores[number, rows, column[places]] = solution.scores[rows, places]
                gap[number] = max(gap[number], solution.gap.max())
        right = self._right(scores)
        return CrossValidation(np.stack([right[:, self.fold_of == fold].mean(axis=1) for fold in folds]), scores, gap)

    def _problems(self, fold: ndarray, positive: ndarray) -> Problems:
        """Column per pair of fold and positive class."""
        parts = []
        for held_out in np.unique(fold):
            training = (self.fold_of != held_out).astype(float)
            factors = self.class_weight_of(self.labels, training)
            parts.append(one_vs_rest(self.labels, factors, training, positives=positive[fold == held_out]))
        return Problems(np.hstack([p.signs for p in parts]), np.hstack([p.weights for p in parts]))

    def _right(self, scores: Float[ndarray, "Cs samples columns"]) -> Bool[ndarray, "Cs samples"]:
        if scores.shape[-1] == 1:
            return np.asarray((scores[..., 0] > 0) == self.labels)
        return np.asarray(scores.argmax(axis=-1) == self.labels)
