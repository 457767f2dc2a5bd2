"""Linear SVMs at one C, or at the C that cross-validation chooses, for the estimators and `transfer`.

Written without scikit-learn, whose import takes a second.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray

from vitrail.errors import BadSetting
from vitrail.linear_svm.dual_newton import DualSolver
from vitrail.linear_svm.one_vs_rest import (
    ClassWeights,
    CrossValidation,
    CrossValidator,
    blocks_of,
    equal_weights,
    one_vs_rest,
    positives_of,
    stratified_folds,
)
from vitrail.linear_svm.primal_newton import PrimalSolver
from vitrail.linear_svm.squared_hinge import Solver, Stop, solve_path

Features = Float[ndarray, "samples dimension"]
Labels = Int[ndarray, " samples"]

GRAM_SAMPLES = 6000  # limit of the Gram matrix, which takes 12 n² bytes: 430 MB
GRAM_RATIO = 8  # samples per feature up to which steps through the Gram matrix are cheaper
TOLERANCE = 1e-6
MAX_ROUNDS = 200
PATH_TOLERANCE = 3e-3  # a smaller gap does not change the accuracy of cross-validation
DEFAULT_CS = np.logspace(-2, 2, 10)


@dataclass(frozen=True)
class LinearSVMFit:
    """One linear SVM, one-vs-rest.

    Attributes:
        coefficients: (K, D), or (1, D) for two classes, positive for the second.
        intercept: (K,), or (1,).
        gap: (K,), or (1,), bound on (objective − optimum) / objective.
        rounds: number of Newton rounds.
    """

    coefficients: Float[ndarray, "K D"] = field(repr=False)
    intercept: Float[ndarray, " K"] = field(repr=False)
    gap: Float[ndarray, " K"]
    rounds: int


@dataclass(frozen=True)
class Search:
    """The best C, cross-validation of all candidates, and the SVM fitted to all samples."""

    C: float
    Cs: Float[ndarray, " Cs"]
    path: CrossValidation = field(repr=False)
    chosen: LinearSVMFit

    @property
    def out_of_fold(self) -> Float[ndarray, "samples columns"]:
        """Scores at the best C from classifiers not trained on the sample; NaN where it was never held out."""
        return np.asarray(self.path.scores[int(np.flatnonzero(self.Cs == self.C)[0])], np.float64)


def fit_svm(
    solver: Solver,
    labels: Labels,
    C: float,
    stop: Stop,
    *,
    class_weight_of: ClassWeights = equal_weights,
    weight: ndarray | None = None,
) -> LinearSVMFit:
    """Fits all classes at one C, as many together as memory allows.

    Args:
        labels: indices of at least two classes.
        weight: (n,), factor of C per sample.
    """
    weight = np.ones(len(labels)) if weight is None else weight
    of_class = class_weight_of(labels, weight)
    weights, gaps, rounds = [], [], [1]
    for block in blocks_of(positives_of(len(of_class)), len(labels)):
        problems = one_vs_rest(labels, of_class, weight, positives=block)
        for solution in solve_path(solver, problems, [C], stop):
            weights.append(solver.weights(solution.coefficients))
            gaps.append(solution.gap)
            rounds.append(solution.rounds)
    columns = np.concatenate(weights, axis=1)
    return LinearSVMFit(np.ascontiguousarray(columns[:-1].T), columns[-1].copy(), np.concatenate(gaps), max(rounds))


def search_C(
    features: Features,
    labels: Labels,
    Cs: Sequence[float] | ndarray | None = None,
    *,
    folds: int = 5,
    seed: int = 0,
    tol: float = TOLERANCE,
    class_weight_of: ClassWeights = equal_weights,
) -> Search:
    """Chooses C by stratified cross-validation, then fits all samples; see `LinearSVMCV`.

    Raises:
        BadSetting: a setting is out of range, there is one class only, or no class has two samples.
    """
    candidates = np.unique(DEFAULT_CS if Cs is None else np.asarray(Cs, dtype=float))
    check_settings(candidates.tolist(), Stop(tol, MAX_ROUNDS))
    fold_of = stratified_folds(labels, folds=folds, seed=seed)
    solver, stop = choose_solver(features), Stop(max(tol, PATH_TOLERANCE), MAX_ROUNDS)
    path = CrossValidator(labels, fold_of, class_weight_of).run(solver, candidates.tolist(), stop)
    best = int(path.accuracy.mean(axis=0).argmax())
    C = float(candidates[best])
    chosen = fit_svm(solver, labels, C, Stop(tol, MAX_ROUNDS), class_weight_of=class_weight_of)
    return Search(C, candidates, path, chosen)


def choose_solver(features: Features) -> Solver:
    """The solver with the cheaper Newton steps for features of this shape."""
    samples, dimension = features.shape
    gram = samples <= GRAM_RATIO * dimension if samples <= GRAM_SAMPLES else samples <= dimension
    return DualSolver(features) if gram else PrimalSolver(features)


def check_settings(Cs: Sequence[float], stop: Stop) -> None:
    """Raises `BadSetting` if C, the tolerance or the number of rounds is out of range."""
    if len(Cs) == 0 or not all(np.isfinite(C) and C > 0 for C in Cs):
        raise BadSetting(f"C must be a finite number above 0; got {', '.join(map(str, Cs)) or 'none'}. Use e.g. 1.")
    if not stop.gap > 0:
        raise BadSetting(f"tol must be above 0; got {stop.gap}. Use e.g. {TOLERANCE}.")
    if stop.rounds < 1:
        raise BadSetting(f"max_iter must be at least 1; got {stop.rounds}. Use e.g. {MAX_ROUNDS}.")


def convergence_warning(gap: Float[ndarray, " problems"], stop: Stop) -> str | None:
    """The warning if a problem stopped above the gap, else None."""
    if (gap <= stop.gap).all():
        return None
    return (
        f"The SVM stopped after {stop.rounds} rounds at a relative gap of {gap.max():.1e}, above {stop.gap:.1e}. "
        "Use a lower C, scaled features, or a higher tol or max_iter."
    )
