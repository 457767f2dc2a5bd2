"""Whether features may be computed in bfloat16: what a classifier loses by it, on training images, decides."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from vitrail.devices import choose_device
from vitrail.events import Note, Progress
from vitrail.linear_svm.one_vs_rest import stratified_folds
from vitrail.linear_svm.squared_hinge import Stop
from vitrail.linear_svm.svm_search import MAX_ROUNDS, PATH_TOLERANCE, choose_solver, fit_svm, search_C
from vitrail.transfer.features import Extractor, common_rows
from vitrail.transfer.fitting import Fitting
from vitrail.transfer.head import LinearHead, one_per_class
from vitrail.transfer.scaling import scale

MANY = 1000  # images from which a pass of half the time repays the sample's second pass
SAMPLE = 500  # training images on which the precisions are compared
FEW = 100  # below so many the accuracy of folds says little

Trial = dict[str, Any]


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
) -> Generator[Progress | Note, None, tuple[Extractor, Trial]]:
    """The extractor, in bfloat16 if that is faster here and costs no accuracy, and why, for `result.json`.

    Features of a sample of the training images are computed in both. bfloat16 is taken if the cross-validated accuracy
    of a linear SVM is not lower than with float32 by more than its standard error over the folds; and if that holds
    too for the SVM that learned from bfloat16 and is asked about float32, as `predict`, `explain` and `attack` ask it.

    Args:
        files, labels: the training images, and the class (n,) of each.
        images: how many there are to do, those to test on included.
    """
    exact: Trial = {"precision": "float32"}
    if images < MANY or len(files) < FEW:
        return extractor, {**exact, "why": "too few images to gain by another"}
    if not has_fast_bfloat16(extractor.device):
        return extractor, {**exact, "why": "nothing lower is faster on this device"}
    rows = _sample(labels, fitting.seed)
    lower = replace(extractor, precision="bfloat16")
    chosen = [files[row] for row in rows]
    first = yield from extractor.run(chosen)
    second = yield from lower.run(chosen)
    first, second = common_rows([first, second])
    labels = np.unique(labels[rows][first.rows], return_inverse=True)[1]
    if len(labels) < FEW or np.bincount(labels).max() < 2 or labels.max() < 1:
        return extractor, {**exact, "why": "too few training images that can be read"}
    exact_rows, lower_rows = (scale(list(each.features.values()), fitting.scaling) for each in (first, second))
    trial = compare_precisions(exact_rows, lower_rows, labels, fitting)
    return (lower if trial["precision"] == "bfloat16" else extractor), trial


def _sample(labels: np.ndarray, seed: int) -> np.ndarray:
    """Positions of `SAMPLE` images, of every class in proportion; all where there are no more."""
    shuffled = np.random.default_rng(seed).permutation(len(labels))
    by_class = shuffled[np.argsort(labels[shuffled], kind="stable")]
    return np.unique(by_class[np.linspace(0, len(labels) - 1, min(SAMPLE, len(labels))).astype(int)])


def compare_precisions(exact: np.ndarray, lower: np.ndarray, labels: np.ndarray, fitting: Fitting) -> Trial:
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
