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
        probability: of the label; the smaller, the surer the issue.
        suggested_probability: of the suggested class.
    """

    row: int
    label: int
    suggested: int
    probability: float
    suggested_probability: float


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
    """Images ranked by the probability of their label, from a classifier that did not see the image.

    The ranking is the self-confidence of confident learning (Northcutt et al., 2021,
    https://doi.org/10.1613/jair.1.12125). The number of wrong labels comes from the half of the images whose class the
    classifier is surest of: where it is sure, it disagrees with the label mostly because the label is wrong, and labels
    are taken to be wrong there as often as elsewhere. The interval is Wilson's.

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
    ranked = [row for row in np.argsort(own, kind="stable").tolist() if predicted[row] != labels[row]]
    issues = [
        LabelIssue(row, int(labels[row]), int(predicted[row]), float(own[row]), float(probabilities[row].max()))
        for row in ranked[: round(high)]
    ]
    return LabelIssues(tuple(issues), wrong / len(sure) * len(labels), (low, high))
