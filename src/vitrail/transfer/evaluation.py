"""Metrics of a classifier on the test images: accuracy with its confidence interval, calibration, confusion."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from vitrail.datasets.data_card import DataCard
from vitrail.datasets.labelled import LabelledImages
from vitrail.formatting import count, percent
from vitrail.metrics.calibration import expected_calibration_error

NORMAL_QUANTILE = 1.959963984540054  # 97.5 % of the standard normal distribution


@dataclass(frozen=True)
class Copies:
    """Which of n test images are among the training images too.

    Attributes:
        equal: (n,) whether each has the very bytes of a training image.
        near: (n,) whether each is an altered copy of one; None: that was not looked for.
    """

    equal: np.ndarray
    near: np.ndarray | None = None

    @property
    def any(self) -> np.ndarray:
        """(n,) either."""
        return self.equal if self.near is None else self.equal | self.near

    def take(self, rows: np.ndarray) -> Copies:
        """Of the test images at `rows`."""
        return Copies(self.equal[rows], None if self.near is None else self.near[rows])


@dataclass(frozen=True)
class Evaluation:
    """A classifier's probabilities on test images, which took no part in any choice.

    Attributes:
        test: the test images and their labels.
        probabilities: (n, K).
        selection: `choice`, `curve_C`, `curve_layer` and, after fine-tuning, `curve_epoch`, as in `result.json`.
        copies: which test images are among the training images too.
        card: of the data.
    """

    test: LabelledImages
    probabilities: np.ndarray = field(repr=False)
    selection: dict[str, Any]
    copies: Copies = field(repr=False)
    card: DataCard = field(repr=False)

    @property
    def predicted(self) -> np.ndarray:
        """(n,), the most probable class."""
        best: np.ndarray = self.probabilities.argmax(axis=1)
        return best

    def metrics(self) -> dict[str, Any]:
        """As in `result.json`: `test` (None where there is no test image), `selection`'s keys, and `confusion`."""
        labels, classes = self.test.labels, self.test.classes
        correct, matrix = int((self.predicted == labels).sum()), confusion_matrix(labels, self.predicted, len(classes))
        test = {
            "accuracy": correct / len(labels) if len(labels) else None,
            "n": len(labels),
            "interval": list(wilson_interval(correct, len(labels))),
            "ece": expected_calibration_error(self.probabilities, labels) if len(labels) else None,
            "per_class": per_class(matrix, classes),
            "copies": int(self.copies.any.sum()),
            "near_copies": None if self.copies.near is None else int(self.copies.near.sum()),
            "without_copies": self._without_copies() if self.copies.any.any() else None,
        }
        return {"test": test, **self.selection, "confusion": matrix.tolist()}

    def _without_copies(self) -> dict[str, Any]:
        correct = (self.predicted == self.test.labels)[~self.copies.any]
        return {
            "accuracy": float(correct.mean()) if len(correct) else None,
            "n": len(correct),
            "interval": list(wilson_interval(int(correct.sum()), len(correct))),
        }

    @property
    def chance_level(self) -> float:
        """Accuracy of always predicting the class that is most frequent among the test images; there must be some."""
        return float(np.bincount(self.test.labels).max() / len(self.test.labels))

    def untested_classes(self) -> list[str]:
        """Classes without a test image."""
        return [row["name"] for row in self.metrics()["test"]["per_class"] if not row["n"]]

    def worst_classes(self) -> list[dict[str, Any]]:
        """The entries of `per_class` with the lowest recall; none where every image is classified correctly."""
        tested = [row for row in self.metrics()["test"]["per_class"] if row["n"]]
        lowest = min(row["recall"] for row in tested)
        return sorted((row for row in tested if row["recall"] == lowest < 1), key=lambda row: str(row["name"]))

    def top_confusions(self) -> list[tuple[str, str, int]]:
        """True class, predicted class and number of images of the most frequent confusions; none without mistakes."""
        matrix, classes = np.array(self.metrics()["confusion"]), self.test.classes
        np.fill_diagonal(matrix, 0)
        images = int(matrix.max())
        return [
            (classes[true], classes[predicted], images) for true, predicted in np.argwhere(matrix == images) if images
        ]

    def confident_mistakes(self, most: int) -> np.ndarray:
        """(m,), indices of at most `most` misclassified images; those of the highest probability first."""
        wrong = np.flatnonzero(self.predicted != self.test.labels)
        probabilities = self.probabilities[wrong, self.predicted[wrong]]
        indices: np.ndarray = wrong[np.argsort(-probabilities, kind="stable")][:most]
        return indices


def mistake_lines(evaluation: Evaluation) -> Iterator[tuple[str, str]]:
    """Lines of a summary: classes without a test image, those of the lowest recall, the most frequent confusions."""
    if untested := evaluation.untested_classes():
        yield "not tested", f"{untested[0]}{_and_others(untested)} (no test image)"
    if worst := evaluation.worst_classes():
        images = count(sum(row["n"] for row in worst), "image")
        recall = f"recall {percent(worst[0]['recall'])} of {images}"
        yield "worst class", f"{worst[0]['name']}{_and_others(worst)}: {recall}"
    if top := evaluation.top_confusions():
        true, predicted, n = top[0]
        others = f"; {count(len(top) - 1, 'other pair')} as often" if len(top) > 1 else ""
        yield "top confusion", f"{true} classified as {predicted}, {count(n, 'image')}{others}"


def _and_others(things: Sequence[Any]) -> str:
    return f" and {count(len(things) - 1, 'other')}" if len(things) > 1 else ""


def choice_of_test_images(result: Mapping[str, Any], settings: Mapping[str, Any], n: int) -> tuple[str, ...]:
    """What chose the `n` test images of a run of `transfer`; the same for runs on the same images.

    That is what they hold, wherever they lie; of a run that does not say so, where they lie and what drew them.
    """
    data = result.get("data")
    content = data.get("test_sha256") if isinstance(data, Mapping) else None
    if isinstance(content, str):
        return (content, str(n))
    source = os.path.abspath(str(settings.get("folder")))  # `flowers` and `./flowers` are the same images
    return (source, str(n), *(str(settings.get(name)) for name in ("test_share", "seed")))


def wilson_interval(correct: int, n: int) -> tuple[float, float]:
    """95 % confidence interval of a share (Wilson, 1927, https://doi.org/10.2307/2276774).

    As `scipy.stats.binomtest(correct, n).proportion_ci(method="wilson")`, without the import of `scipy.stats`, which
    takes 0.7 s.
    """
    if n == 0:
        return 0.0, 1.0
    share, scale = correct / n, NORMAL_QUANTILE**2 / n
    half_width = NORMAL_QUANTILE * math.sqrt((share * (1 - share) + scale / 4) / n)
    low, high = ((share + scale / 2 + sign * half_width) / (1 + scale) for sign in (-1, 1))
    return max(0.0, low), min(1.0, high)


def confusion_matrix(labels: np.ndarray, predicted: np.ndarray, classes: int) -> np.ndarray:
    """(K, K) counts: rows are the true classes, columns the predicted ones.

    As `sklearn.metrics.confusion_matrix`, whose import takes a second.
    """
    matrix = np.zeros((classes, classes), np.int64)
    np.add.at(matrix, (labels, predicted), 1)
    return matrix


def per_class(matrix: np.ndarray, classes: tuple[str, ...]) -> list[dict[str, object]]:
    """`name`, `n`, `recall` and `precision` of each class; None where they are 0 / 0."""
    correct, true, called = np.diag(matrix), matrix.sum(axis=1), matrix.sum(axis=0)
    return [
        {
            "name": name,
            "n": int(true[k]),
            "recall": float(correct[k] / true[k]) if true[k] else None,
            "precision": float(correct[k] / called[k]) if called[k] else None,
        }
        for k, name in enumerate(classes)
    ]
