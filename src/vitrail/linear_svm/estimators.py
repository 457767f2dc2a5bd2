"""Linear support vector machines as scikit-learn estimators, C given or chosen by cross-validation.

The objective is that of `sklearn.svm.LinearSVC` (squared hinge, one-vs-rest, regularised intercept), so both give the
same classifier; here every solution also has a bound on its distance to the optimum (`gap_`).
"""

import warnings
from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data

from vitrail.errors import BadSetting
from vitrail.linear_svm.one_vs_rest import ClassWeights, class_weights, equal_weights
from vitrail.linear_svm.squared_hinge import Stop
from vitrail.linear_svm.svm_search import (
    MAX_ROUNDS,
    PATH_TOLERANCE,
    TOLERANCE,
    Features,
    LinearSVMFit,
    check_settings,
    choose_solver,
    convergence_warning,
    fit_svm,
    search_C,
)


class LinearSVM(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """Linear SVM with squared hinge loss, one-vs-rest.

    Features may be float32, float64 or memory-mapped; with many samples they are never copied whole (see
    `primal_newton`).

    Args:
        C: inverse regularisation strength; above 0.
        tol: bound on (objective − optimum) / objective at which a class has converged.
        class_weight: "balanced", or {class: factor of C}, applied as in LinearSVC: to a class's own samples in its
            own problem, and to both classes when there are two.
        max_iter: maximum number of Newton rounds, after which a ConvergenceWarning is raised.

    Attributes:
        coef_: (K, D); (1, D) for two classes, positive for `classes_[1]`.
        intercept_: (K,), or (1,).
        gap_: (K,), or (1,), bound on (objective − optimum) / objective at the solution.
        n_iter_: number of Newton rounds.
    """

    def __init__(self, C: float = 1.0, *, tol: float = TOLERANCE, class_weight: Any = None, max_iter: int = MAX_ROUNDS):
        self.C = C
        self.tol = tol
        self.class_weight = class_weight
        self.max_iter = max_iter

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> "LinearSVM":
        """Fits to features (n, D) and their labels (n,).

        Raises:
            BadSetting: C, tol or max_iter is out of range, or there is one class only.
            ValueError: a feature is not finite, or the shapes do not fit.
        """
        stop = Stop(self.tol, self.max_iter)
        check_settings([self.C], stop)
        features, labels = self._validate(X, y)
        weight = _check_sample_weight(sample_weight, features, dtype=np.float64, ensure_non_negative=True)
        self._set_solution(
            fit_svm(
                choose_solver(features), labels, self.C, stop, class_weight_of=self._class_weights(), weight=weight
            ),
            stop,
        )
        return self

    def decision_function(self, X: Any) -> Float[ndarray, "..."]:
        """Signed scores: (n, K), or (n,) for two classes."""
        check_is_fitted(self)
        features = validate_data(self, X, dtype=[np.float64, np.float32], reset=False)
        scores = features @ self.coef_.T.astype(features.dtype) + self.intercept_
        return np.asarray(scores.ravel() if len(self.coef_) == 1 else scores)

    def predict(self, X: Any) -> ndarray:
        """(n,), the class of the highest score of each sample."""
        scores = self.decision_function(X)
        return np.asarray(self.classes_[scores.argmax(axis=1) if scores.ndim == 2 else (scores > 0).astype(int)])

    def _validate(self, X: Any, y: Any) -> tuple[Features, Int[ndarray, " samples"]]:
        """Features, and labels as indices into `classes_`."""
        features, y = validate_data(self, X, y, dtype=[np.float64, np.float32])
        check_classification_targets(y)
        self.classes_, labels = np.unique(y, return_inverse=True)
        if len(self.classes_) < 2:
            name = type(self).__name__
            raise BadSetting(f"{name} needs samples of at least 2 classes; got 1 class ({self.classes_[0]}).")
        return features, labels

    def _class_weights(self) -> ClassWeights:
        return equal_weights if self.class_weight is None else partial(class_weights, self.class_weight, self.classes_)

    def _set_solution(self, fit: LinearSVMFit, stop: Stop) -> None:
        self.coef_, self.intercept_ = fit.coefficients, fit.intercept
        self.gap_, self.n_iter_ = fit.gap, fit.rounds
        _warn(convergence_warning(fit.gap, stop))


class LinearSVMCV(LinearSVM):
    """Linear SVM whose C is chosen by stratified cross-validation.

    All folds and all values of C share what is computed from the features. The chosen C has the highest mean accuracy
    over folds; of several such, the smallest. The classifier is then fitted to all samples.

    The only sample of a class is in every training fold. If another class has fewer samples than `folds`, the number
    of folds is the size of the smallest such class, and so at least 2.

    Args:
        Cs: candidates for C; None: ten from 0.01 to 100, evenly spaced in logarithm.
        folds: number of folds; at least 2.
        seed: of the shuffle before the folds are assigned.
        tol: as for LinearSVM, for the last fit; cross-validation stops at a gap of 1e-3, or at `tol` if larger.
        class_weight: as for LinearSVM; "balanced" is computed from each training fold.

    Attributes:
        C_: the chosen C.
        Cs_: (c,), the candidates, rising.
        accuracy_path_: (folds, c), accuracy on each held-out fold.
        out_of_fold_: (n, K), or (n, 1) for two classes, scores at `C_` from classifiers that were not trained on the
            sample; NaN for samples that are in every training fold.
        path_gap_: (c,), the largest gap of any class and fold.
    """

    def __init__(
        self,
        Cs: Sequence[float] | ndarray | None = None,
        *,
        folds: int = 5,
        seed: int = 0,
        tol: float = TOLERANCE,
        class_weight: Any = None,
    ):
        self.Cs = Cs
        self.folds = folds
        self.seed = seed
        self.tol = tol
        self.class_weight = class_weight

    def fit(self, X: Any, y: Any) -> "LinearSVMCV":  # type: ignore[override]
        """Chooses C, then fits to features (n, D) and their labels (n,).

        Raises:
            BadSetting: a setting is out of range, there is one class only, or no class has two samples.
            ValueError: a feature is not finite, or the shapes do not fit.
        """
        stop = Stop(self.tol, MAX_ROUNDS)
        features, labels = self._validate(X, y)
        search = search_C(
            features,
            labels,
            self.Cs,
            folds=self.folds,
            seed=self.seed,
            tol=self.tol,
            class_weight_of=self._class_weights(),
        )
        _warn(convergence_warning(search.path.gap, Stop(max(self.tol, PATH_TOLERANCE), MAX_ROUNDS)))
        self.C_, self.Cs_, self.accuracy_path_ = search.C, search.Cs, search.path.accuracy
        self.path_gap_ = search.path.gap
        self.out_of_fold_ = search.out_of_fold
        self._set_solution(search.chosen, stop)
        return self


def _warn(sentence: str | None) -> None:
    if sentence is not None:
        warnings.warn(sentence, ConvergenceWarning, stacklevel=4)
