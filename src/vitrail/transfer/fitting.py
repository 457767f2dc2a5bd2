"""Linear classifier on features; layers and C are chosen by cross-validation on the training images only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray

from vitrail.errors import BadSetting
from vitrail.linear_svm.one_vs_rest import stratified_folds
from vitrail.linear_svm.squared_hinge import Stop
from vitrail.linear_svm.svm_search import (
    MAX_ROUNDS,
    TOLERANCE,
    choose_solver,
    convergence_warning,
    fit_svm,
    search_C,
)
from vitrail.transfer.head import LinearHead, fit_logit_scale, one_per_class
from vitrail.transfer.multi_network import Blocks
from vitrail.transfer.scaling import Scaling, scale
from vitrail.transfer.selection import best_layers, layer_curve

Head = Literal["svm", "logistic"]
Curve = list[dict[str, Any]]
HeadFit = tuple[LinearHead, float, Curve, str | None]  # head, its C, the curve of C, a convergence warning

LOGISTIC_CS = tuple(np.logspace(-1, 4, 6).tolist())
LAYER_SAMPLES = 5000  # number of images on which layers are ranked, at most


@dataclass(frozen=True)
class Fitted:
    """A linear classifier on layers of networks, and the results of cross-validation.

    Attributes:
        layers: backbone -> the layers whose features the head takes, in this order.
        curve_C: for each candidate `C`, the mean `accuracy` and its `spread` (standard deviation) over the folds.
        curve_layer: `backbone`, `layer` (several: with a plus) and leave-one-out `accuracy`; empty if layers are given.
        convergence_warning: the warning if the last fit stopped above its tolerance, else None.
    """

    head: LinearHead
    layers: Mapping[str, tuple[str, ...]]
    scaling: Scaling
    C: float
    curve_C: Curve = field(repr=False)
    curve_layer: Curve = field(repr=False)
    convergence_warning: str | None = None

    def features(self, blocks: Blocks) -> Float[ndarray, "n d"]:
        """(n, D), the scaled features of the chosen layers."""
        return scale([blocks[name][layer] for name, chosen in self.layers.items() for layer in chosen], self.scaling)


@dataclass(frozen=True)
class Fitting:
    """Options of a linear classifier on features, and its fit.

    Args:
        head: squared-hinge SVM, or multinomial logistic regression.
        Cs: candidates for C; empty: ten from 0.01 to 100 (svm) or six from 0.1 to 10,000 (logistic).
        scaling: of the features; see `vitrail.transfer.scaling`.
        choose_layers: whether to choose, for each network, its best layer or all layers together; else all are used.
        folds, seed: of cross-validation.
    """

    head: Head = "svm"
    Cs: Sequence[float] = ()
    scaling: Scaling = "square-root"
    choose_layers: bool = True
    folds: int = 5
    seed: int = 0

    def run(self, blocks: Blocks, labels: Int[ndarray, " n"]) -> Fitted:
        """The classifier fitted to features whose rows have `labels`, indices of classes.

        Raises:
            BadSetting: a setting is out of range, there is one class only, or no class has two samples.
        """
        if labels.max(initial=0) < 1:
            raise BadSetting("There is only one class. Use images of at least two classes.")
        layers: dict[str, tuple[str, ...]] = {}
        curve_layer: Curve = []
        for name, features in blocks.items():
            layers[name] = tuple(features)
            if self.choose_layers and len(features) > 1 and not _has_no_pair(labels):
                curve = layer_curve(*self._sample(features, labels), self.scaling)
                layers[name] = best_layers(curve)
                curve_layer += [{"backbone": name, "layer": "+".join(names), "accuracy": acc} for names, acc in curve]
        combined = scale([blocks[name][layer] for name, chosen in layers.items() for layer in chosen], self.scaling)
        fit = self._without_folds if _has_no_pair(labels) else self._svm if self.head == "svm" else self._logistic
        head, C, curve_C, warning = fit(combined, labels)
        return Fitted(head, layers, self.scaling, C, curve_C, curve_layer, warning)

    def _sample(self, features: Mapping[str, ndarray], labels: ndarray) -> tuple[dict[str, ndarray], ndarray]:
        """A stratified sample that is large enough to rank layers."""
        if len(labels) <= LAYER_SAMPLES:
            return dict(features), labels
        shuffled = np.random.default_rng(self.seed).permutation(len(labels))
        by_class = shuffled[np.argsort(labels[shuffled], kind="stable")]
        rows = np.sort(by_class[np.linspace(0, len(labels) - 1, LAYER_SAMPLES).astype(int)])
        return {layer: block[rows] for layer, block in features.items()}, labels[rows]

    def _without_folds(self, features: ndarray, labels: ndarray) -> HeadFit:
        """An SVM where nothing can be chosen: no class has a second image that could tell."""
        C = float(self.Cs[0]) if self.Cs else 1.0
        svm = fit_svm(choose_solver(features), labels, C, Stop(TOLERANCE, MAX_ROUNDS))
        head = LinearHead(*one_per_class(svm.coefficients, svm.intercept), 1.0)
        reason = "No class has a second training image"
        why = f"{reason}: neither C ({C:g}) nor a layer was chosen, and probabilities mean little."
        return head, C, [], why

    def _svm(self, features: ndarray, labels: ndarray) -> HeadFit:
        search = search_C(features, labels, list(self.Cs) or None, folds=self.folds, seed=self.seed)
        svm, path = search.chosen, search.path.accuracy
        logit_scale = fit_logit_scale(search.out_of_fold, labels)
        head = LinearHead(*one_per_class(svm.coefficients, svm.intercept), logit_scale)
        curve = _curve(search.Cs, path.mean(axis=0), path.std(axis=0))
        return head, search.C, curve, convergence_warning(svm.gap, Stop(TOLERANCE, MAX_ROUNDS))

    def _logistic(self, features: ndarray, labels: ndarray) -> HeadFit:
        from sklearn.linear_model import LogisticRegression
        from sklearn.model_selection import GridSearchCV, PredefinedSplit

        Cs = list(self.Cs or LOGISTIC_CS)
        folds = PredefinedSplit(stratified_folds(labels, folds=self.folds, seed=self.seed))
        search = GridSearchCV(LogisticRegression(max_iter=1000), {"C": Cs}, cv=folds).fit(features, labels)
        best, results = search.best_estimator_, search.cv_results_
        head = LinearHead(*one_per_class(best.coef_, best.intercept_), 1.0)
        return head, float(best.C), _curve(Cs, results["mean_test_score"], results["std_test_score"]), None


def _has_no_pair(labels: ndarray) -> bool:
    """Whether no class has two samples, so that nothing can be chosen by cross-validation."""
    return int(np.bincount(labels).max()) < 2


def _curve(Cs: Sequence[float] | ndarray, means: ndarray, spreads: ndarray) -> Curve:
    return [
        {"C": float(C), "accuracy": float(mean), "spread": float(spread)}
        for C, mean, spread in zip(Cs, means, spreads, strict=True)
    ]
