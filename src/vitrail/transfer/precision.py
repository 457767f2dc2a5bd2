"""Whether features may be computed in bfloat16: what a classifier loses by it, on training images, decides."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from vitrail.backbones.inference_engine import IN_BFLOAT16, Precision
from vitrail.devices import choose_device
from vitrail.events import Note, Progress
from vitrail.linear_svm.one_vs_rest import stratified_folds
from vitrail.linear_svm.squared_hinge import Stop
from vitrail.linear_svm.svm_search import MAX_ROUNDS, PATH_TOLERANCE, choose_solver, fit_svm, search_C
from vitrail.transfer.features import Extractor, common_rows
from vitrail.transfer.fitting import Fitting
from vitrail.transfer.head import LinearHead, one_per_class
from vitrail.transfer.scaling import scale

MANY = 2000  # images from which a pass of half the time repays the passes of the sample
SAMPLE = 500  # training images on which the precisions are compared
FEW = 100  # below so many the accuracy of folds says little


@dataclass(frozen=True)
class Trial:
    """Which precision is to be taken.

    Attributes:
        record: `precision`, `why` and, where both were tried, the figures; for `result.json`.
        computed: number of passes of an image through the network.
    """

    record: dict[str, Any]
    computed: int = 0

    @property
    def precision(self) -> Precision:
        """Of the features of all images."""
        chosen: Precision = self.record["precision"]
        return chosen


def has_fast_bfloat16(device: str) -> bool:
    """Whether the device computes faster in bfloat16 than in float32."""
    kind = choose_device(device).partition(":")[0]
    if kind == "cpu":
        from vitrail.backbones.openvino_engine import has_bfloat16

        return has_bfloat16()
    import torch

    return kind == "cuda" and torch.cuda.is_available() and torch.cuda.is_bf16_supported(including_emulation=False)


def choose_precision(
    extractor: Extractor, fitting: Fitting, files: Sequence[Path], labels: np.ndarray, *, images: int
) -> Generator[Progress | Note, None, Trial]:
    """bfloat16 if that is faster here and costs no accuracy, else float32; and why.

    Features of a sample of the training images are computed in both. bfloat16 is taken if the cross-validated accuracy
    of a linear SVM is not lower than with float32 by more than its standard error over the folds; and if that holds
    too for the SVM that learned from bfloat16 and is asked about float32, as `predict`, `explain` and `attack` ask it.

    Args:
        files, labels: the training images, and the class (n,) of each.
        images: how many there are to do, those to test on included.
    """
    if images < MANY or len(files) < FEW:
        return _exact("too few images to gain by another")
    if not has_fast_bfloat16(extractor.device):
        return _exact("nothing lower is faster on this device")
    kind = choose_device(extractor.device).partition(":")[0]
    if extractor.engine not in ("auto", *IN_BFLOAT16[kind]):
        return _exact(f"the engine {extractor.engine} has no other")
    rows = _sample(labels, fitting.seed)
    lower = replace(extractor, precision="bfloat16")
    chosen = [files[row] for row in rows]
    first = yield from extractor.run(chosen)
    if not first.computed and not lower.holds(chosen):
        return _exact("features in float32 are in the cache")
    second = yield from lower.run(chosen)
    computed = first.computed + second.computed
    first, second = common_rows([first, second])
    labels = np.unique(labels[rows][first.rows], return_inverse=True)[1]
    if len(labels) < FEW or np.bincount(labels).min() < 2 or labels.max() < 1:
        return _exact("too few training images of a class to tell", computed)
    exact_rows, lower_rows = (scale(list(each.features.values()), fitting.scaling) for each in (first, second))
    return Trial(compare_precisions(exact_rows, lower_rows, labels, fitting), computed)


def _exact(why: str, computed: int = 0) -> Trial:
    return Trial({"precision": "float32", "why": why}, computed)


def _sample(labels: np.ndarray, seed: int) -> np.ndarray:
    """Positions of `SAMPLE` images, as many of each class as there are; all where there are no more."""
    shuffled = np.random.default_rng(seed).permutation(len(labels))
    by_class = shuffled[np.argsort(labels[shuffled], kind="stable")]
    counts = np.bincount(labels)
    place_in_class = np.arange(len(labels)) - np.repeat(np.cumsum(counts) - counts, counts)
    return np.sort(by_class[np.argsort(place_in_class, kind="stable")[:SAMPLE]])


def compare_precisions(exact: np.ndarray, lower: np.ndarray, labels: np.ndarray, fitting: Fitting) -> dict[str, Any]:
    """Cross-validated accuracy with features in float32 and in bfloat16, and which of them is to be taken.

    Args:
        exact, lower: (n, d), scaled features of the same images.
        labels: (n,), indices of classes.
    """
    C = search_C(exact, labels, list(fitting.Cs) or None, folds=fitting.folds, seed=fitting.seed).C
    fold_of = stratified_folds(labels, folds=fitting.folds, seed=fitting.seed)
    folds = range(int(fold_of.max()) + 1)
    plain = np.array([_score(exact, exact, labels, fold_of, fold, C) for fold in folds])
    alone = np.array([_score(lower, lower, labels, fold_of, fold, C) for fold in folds])
    mixed = np.array([_score(lower, exact, labels, fold_of, fold, C) for fold in folds])
    holds = all(plain.mean() - each.mean() <= _standard_error(each) for each in (alone, mixed))
    return {
        "precision": "bfloat16" if holds else "float32",
        "why": f"accuracy is {'no lower' if holds else 'lower'} than in float32, on a sample of the training images",
        "images": len(labels),
        "accuracy": {
            "float32": float(plain.mean()),
            "bfloat16": float(alone.mean()),
            "bfloat16, asked in float32": float(mixed.mean()),
        },
        "standard_error": _standard_error(alone),
    }


def _standard_error(folds: np.ndarray) -> float:
    return float(folds.std(ddof=1) / np.sqrt(len(folds)))


def _score(
    learned: np.ndarray, asked: np.ndarray, labels: np.ndarray, fold_of: np.ndarray, fold: int, C: float
) -> float:
    """Accuracy on a fold of an SVM that learned from the other folds."""
    inside = fold_of == fold
    classes, renumbered = np.unique(labels[~inside], return_inverse=True)
    rows = learned[~inside]
    svm = fit_svm(choose_solver(rows), renumbered, C, Stop(PATH_TOLERANCE, MAX_ROUNDS))
    head = LinearHead(*one_per_class(svm.coefficients, svm.intercept), 1.0)
    return float((classes[head.probabilities(asked[inside]).argmax(axis=1)] == labels[inside]).mean())
