"""Shortcuts: whether size, shape, file type, light, colour or border alone predict a class."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int64

from vitrail.dataset_check.outliers import DRAWN
from vitrail.dataset_check.scan import Scan
from vitrail.transfer.evaluation import wilson_interval

SHORTCUTS: dict[str, tuple[str, ...]] = {
    "file type": (),
    "size": ("width", "height"),
    "shape": ("shape",),
    "border": ("frame brightness", "frame contrast", "frame width"),
    "colour": ("red", "blue", "saturation"),
    "brightness": ("brightness", "contrast", "white point"),
    "sharpness": ("sharpness",),
    "compression": ("bytes per pixel",),
}
"""What is tried -> the properties that it consists of; of equal ones the first is named first."""

BINS = 32  # of equally many images, where a property has more values
THRESHOLD = 0.9  # lower end of the interval of the balanced accuracy from which a shortcut is named
ROWS = 4096  # images worked on at a time: a number a class of each is 33 MB for 1,000 classes
TIE = 0.05  # of log-likelihoods
FEWEST = 10  # images of a class without which it is not tried


@dataclass(frozen=True)
class Shortcut:
    """A property that tells a class from all others without looking at what the image shows.

    Attributes:
        property: a name in `SHORTCUTS`.
        label: index of the class that it tells best.
        accuracy: balanced accuracy of that class against all others, in [0, 1]; chance is 0.5.
        low: lower end of its 95 % confidence interval.
        accuracy_all: accuracy over all classes.
        chance_all: share of the largest class.
    """

    property: str
    label: int
    accuracy: float
    low: float
    accuracy_all: float
    chance_all: float
    chance: float = 0.5

    def values(self, classes: Sequence[str], classifier: float | None) -> dict[str, Any]:
        """As JSON values, beside the accuracy of the classifier."""
        return {
            "property": self.property,
            "class": classes[self.label],
            "accuracy": self.accuracy,
            "chance": self.chance,
            "accuracy_all_classes": self.accuracy_all,
            "chance_all_classes": self.chance_all,
            "classifier_all_classes": classifier,
        }


def measure_shortcuts(scan: Scan, labels: Int64[np.ndarray, " n"], classes: int) -> list[Shortcut]:
    """All properties, the most telling first; empty if no two classes have images enough.

    The model is naive Bayes on bins of the properties, and every image is predicted without its own entry in the
    counts, so that a property of chance gives the accuracy of chance. The border is no property of images so small that
    what they show reaches it.
    """
    counts = np.bincount(labels, minlength=classes)
    tried = np.flatnonzero(counts >= FEWEST)
    if len(tried) < 2:
        return []
    found = []
    small = float(np.median(np.minimum(scan.column("width"), scan.column("height")))) < DRAWN
    for order, name in enumerate(SHORTCUTS):
        if small and name == "border":
            continue
        own, all_classes = _predictions([_binned(each) for each in _values(scan, name)], labels, counts)
        best = max(_balanced(own[:, label], labels == label, int(label)) for label in tried)
        low, accuracy, label = best[0], best[1], -best[2]
        shortcut = Shortcut(name, label, accuracy, low, all_classes, float(counts.max() / len(labels)))
        found.append((-round(accuracy, 3), order, shortcut))
    return [shortcut for _, _, shortcut in sorted(found, key=lambda each: each[:2])]


def find_shortcuts(measured: Sequence[Shortcut]) -> list[Shortcut]:
    """Those that pass `THRESHOLD`, in their order."""
    return [shortcut for shortcut in measured if shortcut.low >= THRESHOLD]


def _values(scan: Scan, name: str) -> list[np.ndarray]:
    if name == "file type":
        return [np.unique(np.array(scan.formats), return_inverse=True)[1]]
    if name == "shape":
        return [np.log(scan.column("width") / scan.column("height"))]
    return [scan.column(each) for each in SHORTCUTS[name]]


def _binned(values: np.ndarray) -> Int64[np.ndarray, " n"]:
    """(n,), the bin of each value: each its own where there are few, else of equally many images."""
    distinct, inverse = np.unique(values, return_inverse=True)
    if len(distinct) <= BINS:
        return np.asarray(inverse, np.int64)
    edges = np.unique(np.quantile(values, np.linspace(0, 1, BINS + 1)[1:-1]))
    return np.searchsorted(edges, values, side="right").astype(np.int64)


def _predictions(
    binned: Sequence[np.ndarray], labels: np.ndarray, counts: np.ndarray
) -> tuple[Bool[np.ndarray, "n K"], float]:
    """Whether each image is more probable under each class than under all others; and the accuracy of the best."""
    tables = []
    for bins in binned:
        tables.append(np.zeros((int(bins.max()) + 1, len(counts))))
        np.add.at(tables[-1], (bins, labels), 1)
    own, right = np.empty((len(labels), len(counts)), bool), 0.0
    prior = np.log(np.maximum(counts, 1e-9))
    for start in range(0, len(labels), ROWS):
        rows = slice(start, start + ROWS)
        likelihood, others = _log_likelihoods(tables, [bins[rows] for bins in binned], labels[rows], counts)
        own[rows] = likelihood > others
        right += _right(likelihood + prior, labels[rows])
    return own, right / len(labels)


def _log_likelihoods(
    tables: Sequence[np.ndarray], binned: Sequence[np.ndarray], labels: np.ndarray, counts: np.ndarray
) -> tuple[Float[np.ndarray, "m K"], Float[np.ndarray, "m K"]]:
    """Of some images under each class, and under all other classes, without their own entries in the counts.

    What is added to each bin is a share of the class, so that an empty bin is as probable under all: were it a number,
    the class that an image was taken out of would be the smaller one, and that would give its label away.
    """
    n, rows = int(counts.sum()), np.arange(len(labels))
    of_class = np.tile(counts.astype(float), (len(labels), 1))
    of_class[rows, labels] -= 1
    of_class = np.maximum(of_class, 1e-9)
    share = np.count_nonzero(counts) / n
    own, others = np.zeros_like(of_class), np.zeros_like(of_class)
    for table, bins in zip(tables, binned, strict=True):
        number = len(table)
        there = table[bins]
        there[rows, labels] -= 1
        every = there.sum(axis=1, keepdims=True)
        own += np.log(there / of_class + share / number)
        others += np.log((every - there) / (n - 1 - of_class) + share / number)
    return own, others


def _right(scores: np.ndarray, labels: np.ndarray) -> float:
    """Number of images of the highest score; of classes that one entry in the counts would exchange, any is drawn."""
    equal = scores >= scores.max(axis=1, keepdims=True) - TIE
    return float((equal[np.arange(len(labels)), labels] / equal.sum(axis=1)).sum())


def _balanced(own: np.ndarray, true: np.ndarray, label: int) -> tuple[float, float, int]:
    """Lower end and value of the balanced accuracy of one class, and the class, negative: of equals the first."""
    parts = [(int((own == value)[true == value].sum()), int((true == value).sum())) for value in (True, False)]
    low = sum(wilson_interval(*part)[0] for part in parts) / 2
    return float(low), float(np.mean([right / size for right, size in parts])), -label
