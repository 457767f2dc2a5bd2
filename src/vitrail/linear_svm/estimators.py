"""Linear support vector machines as scikit-learn estimators, C given or chosen by cross-validation.

The objective is `sklearn.svm.LinearSVC`'s (squared hinge, one against the rest, regularised intercept), so the two
agree; here every solution also says how far from the optimum it may be (`gap_`).
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
    """Linear SVM with squared hinge loss.

    Features are read as they are, float32 or float64, memory-mapped too: they are never copied whole when there are
    many samples (see `primal_newton`).

    Args:
        C: weight of the loss against the squared length of the weights; more than 0.
        tol: bound on (objective − optimum) / objective at which a class is done.
        class_weight: "balanced", or {class: factor of C}, applied as LinearSVC does: to a class's own samples in its
            own problem, and to both classes when there are two.
        max_iter: Newton rounds after which it gives up, with a ConvergenceWarning.

    Attributes:
        coef_: (K, D); (1, D) for two classes, positive for `classes_[1]`.
        intercept_: (K,), or (1,).
        gap_: (K,), or (1,), the bound reached.
        n_iter_: Newton rounds taken.
    """

    def __init__(self, C: float = 1.0, *, tol: float = TOLERANCE, class_weight: Any = None, max_iter: int = MAX_ROUNDS):
        self.C = C
        self.tol = tol
        self.class_weight = class_weight
        self.max_iter = max_iter

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> "LinearSVM":
        """Learns from features (n, D) and their labels (n,).

        Raises:
            BadSetting: C, tol or max_iter is out of range, or there is one class only.
            ValueError: a feature is not finite, or the shapes do not fit.
        """
        stop = Stop(self.tol, self.max_iter)
        check_settings([self.C], stop)
        features, labels = self._validate(X, y)
        weight = _check_sample_weight(sample_weight, features, dtype=np.float64, ensure_non_negative=True)
        self._keep(
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
        """Class of the highest score, per sample: (n,)."""
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

    def _keep(self, found: LinearSVMFit, stop: Stop) -> None:
        self.coef_, self.intercept_ = found.coefficients, found.intercept
        self.gap_, self.n_iter_ = found.gap, found.rounds
        _warn(convergence_warning(found.gap, stop))


class LinearSVMCV(LinearSVM):
    """Linear SVM whose C is the best of several under stratified cross-validation.

    All folds and all C share what was computed from the features. The best C has the highest mean accuracy over
    folds; of several such, the smallest. The classifier is then fitted to all samples.

    A class with one sample is always in the training part. If another has fewer samples than `folds`, there are as
    many folds as the smallest of them has samples, and so at least 2.

    Args:
        Cs: values to choose from; None for ten from 0.01 to 100, evenly spaced in logarithm.
        folds: parts that take turns in being held out; at least 2.
        seed: of the shuffle before the parts are cut.
        tol: as for LinearSVM, for the last fit; cross-validation stops at a gap of 1e-3, or at `tol` if larger.
        class_weight: as for LinearSVM; "balanced" is computed from each training part.

    Attributes:
        C_: the C chosen.
        Cs_: (C,), the values tried, rising.
        accuracy_path_: (folds, C), share of each held-out part classified rightly.
        out_of_fold_: (n, K), or (n, 1) for two classes, scores at `C_` from classifiers that have not seen the
            sample; NaN for samples always in the training part.
        path_gap_: (C,), the largest gap of any class and fold.
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
        """Chooses C, then learns from features (n, D) and their labels (n,).

        Raises:
            BadSetting: a setting is out of range, there is one class only, or no class has two samples.
            ValueError: a feature is not finite, or the shapes do not fit.
        """
        stop = Stop(self.tol, MAX_ROUNDS)
        features, labels = self._validate(X, y)
        found = search_C(
            features,
            labels,
            self.Cs,
            folds=self.folds,
            seed=self.seed,
            tol=self.tol,
            class_weight_of=self._class_weights(),
        )
        _warn(convergence_warning(found.path.gap, Stop(max(self.tol, PATH_TOLERANCE), MAX_ROUNDS)))
        self.C_, self.Cs_, self.accuracy_path_ = found.C, found.Cs, found.path.accuracy
        self.path_gap_ = found.path.gap
        self.out_of_fold_ = found.out_of_fold
        self._keep(found.chosen, stop)
        return self


def _warn(sentence: str | None) -> None:
    if sentence is not None:
        warnings.warn(sentence, ConvergenceWarning, stacklevel=4)
