"""Labels that a classifier fitted to all other images contradicts, and how many labels are wrong."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, Int64

from vitrail.transfer.evaluation import wilson_interval

CONFIDENT = 0.5  # share of the images that the classifier is surest of, on which wrong labels are counted


@dataclass(frozen=True)
class LabelIssue:
    """An image whose label is probably wrong.

    Attributes:
        row: place of the image.
        label, suggested: indices of classes: the label, and the most probable one.
        probability, suggested_probability: of the label, and of the suggested class.
        score: in (0, 1), the higher, the surer the issue; see `issue_scores`.
    """

    row: int
    label: int
    suggested: int
    probability: float
    suggested_probability: float
    score: float


@dataclass(frozen=True)
class LabelIssues:
    """Wrong labels of n images.

    Attributes:
        issues: most certain first; as many as the interval allows wrong labels, at most.
        expected: estimated number of wrong labels; None: undefined.
        interval: its 95 % confidence interval.
        undefined: why there is no estimate; empty: there is one.
    """

    issues: Sequence[LabelIssue]
    expected: float | None
    interval: tuple[float, float] | None
    undefined: str = ""

    def values(self) -> dict[str, Any]:
        """The estimate, as JSON values."""
        return {
            "expected": self.expected,
            "interval": None if self.interval is None else list(self.interval),
            "undefined": self.undefined or None,
        }


def find_label_issues(probabilities: Float[np.ndarray, "n K"], labels: Int64[np.ndarray, " n"]) -> LabelIssues:
    """Images whose label a classifier that did not see them contradicts, and the number of wrong labels.

    The number comes from the half of the images whose class the classifier is surest of: where it is sure, it disagrees
    with the label mostly because the label is wrong, and labels are taken to be wrong there as often as elsewhere. The
    interval is Wilson's.

    Args:
        probabilities: as `vitrail.dataset_check.ridge.leave_out` gives them.
        labels: indices of classes.
    """
    counts = np.bincount(labels, minlength=probabilities.shape[1])
    if (counts > 1).sum() < 2:
        return LabelIssues((), None, None, "it needs two classes of two images or more")
    predicted = probabilities.argmax(axis=1)
    correct = int((predicted == labels).sum())
    commonest = float(counts.max()) / len(labels)
    if wilson_interval(correct, len(labels))[0] <= commonest:
        reason = f"the features do not predict the labels: {correct} of {len(labels)} right, {commonest:.3f} by chance"
        return LabelIssues((), None, None, reason)
    own = probabilities[np.arange(len(labels)), labels]
    sure = np.argsort(-probabilities.max(axis=1), kind="stable")[: max(1, round(CONFIDENT * len(labels)))]
    wrong = int((predicted[sure] != labels[sure]).sum())
    low, high = (float(share * len(labels)) for share in wilson_interval(wrong, len(sure)))
    scores = issue_scores(probabilities, labels)
    ranked = [row for row in np.argsort(-scores, kind="stable").tolist() if predicted[row] != labels[row]]
    issues = [
        LabelIssue(
            row,
            int(labels[row]),
            int(predicted[row]),
            float(own[row]),
            float(probabilities[row].max()),
            float(scores[row]),
        )
        for row in ranked[: round(high)]
    ]
    return LabelIssues(tuple(issues), wrong / len(sure) * len(labels), (low, high))


def issue_scores(probabilities: Float[np.ndarray, "n K"], labels: Int64[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
    """(n,), in (0, 1): 1 / (1 + p / √h), of the label's probability p and the entropy h as a share of the largest.

    Between the self-confidence p of confident learning (Northcutt et al., 2021, https://doi.org/10.1613/jair.1.12125)
    and the confidence-weighted entropy, p / h: an image that could be of many classes, but not of its own, is more
    suspicious than one between its own class and another. Of labels exchanged at random it finds more than either; of
    labels exchanged with the most similar class, fewer than p by 0.01 of the average precision.
    """
    own = probabilities[np.arange(len(labels)), labels].astype(np.float64)
    entropy = -(probabilities * np.log(np.maximum(probabilities, 1e-12))).sum(axis=1) / np.log(probabilities.shape[1])
    return np.asarray(1 / (1 + np.maximum(own, 1e-12) / np.sqrt(np.clip(entropy, 1e-9, 1))))
