"""The result of a check: what was found, the baselines it was found against, and what is undefined and why."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from vitrail.dataset_check.class_balance import ClassBalance, SimilarClasses
from vitrail.dataset_check.duplicates import Copies
from vitrail.dataset_check.label_issues import LabelIssues
from vitrail.dataset_check.learning_curve import LearningCurve
from vitrail.dataset_check.outliers import Outliers
from vitrail.dataset_check.shortcuts import Shortcut
from vitrail.image_files import display_name


@dataclass(frozen=True)
class DuplicateGroup:
    """Files of one image.

    Attributes:
        files: in the order given.
        kind: "file" (equal bytes), "pixels" (equal pixels) or "near".
        score: correlation of the details of the least similar pair of copies, in [0, 1].
    """

    files: Sequence[Path]
    kind: str
    score: float

    def values(self) -> dict[str, Any]:
        """As JSON values."""
        return {"files": list(map(display_name, self.files)), "kind": self.kind, "score": self.score}


@dataclass(frozen=True)
class Leak:
    """A held-out file and its nearest copy among the files that are trained on.

    Attributes:
        train, test: the files.
        parts: the parts of the two.
        score: correlation of the details, in [0, 1].
    """

    train: Path
    test: Path
    parts: tuple[str, str]
    score: float

    def values(self) -> dict[str, Any]:
        """As JSON values."""
        return {
            "train": display_name(self.train),
            "test": display_name(self.test),
            "parts": list(self.parts),
            "score": self.score,
        }


@dataclass(frozen=True)
class DatasetCheck:
    """What is odd about a data set.

    Attributes:
        files: (n,), those that could be read; rows of all findings are places in it.
        classes: names.
        duplicates, leaks: most similar first.
        copies, label_issues, outliers, curve: findings with their baselines.
        shortcuts: those above the threshold, the most telling first.
        measured_shortcuts: all properties.
        balance, similar: sizes of classes, and classes that look alike, of images of known class; None without labels.
        accuracy: of the classifier on images it did not see; None: undefined.
        chance: share of the largest class, of the images of known class; None without labels.
        skipped: files that were left out: `file`, `kind` and `reason` of each.
        undefined: what is not known -> why.
    """

    files: Sequence[Path] = field(repr=False)
    classes: Sequence[str]
    duplicates: Sequence[DuplicateGroup]
    leaks: Sequence[Leak]
    copies: Copies
    label_issues: LabelIssues
    outliers: Outliers
    shortcuts: Sequence[Shortcut]
    measured_shortcuts: Sequence[Shortcut]
    curve: LearningCurve
    balance: ClassBalance | None
    similar: Sequence[SimilarClasses]
    accuracy: float | None
    chance: float | None
    skipped: Sequence[Mapping[str, str]]
    undefined: Mapping[str, str]

    def values(self) -> dict[str, Any]:
        """JSON values, without NaN or infinity; best first in every list."""
        return {
            "n": len(self.files),
            "duplicates": [group.values() for group in self.duplicates],
            "leaks": [leak.values() for leak in self.leaks],
            "label_issues": [
                {
                    "file": self._name(issue.row),
                    "label": self.classes[issue.label],
                    "suggested": self.classes[issue.suggested],
                    "score": issue.score,
                    "probability": issue.probability,
                    "suggested_probability": issue.suggested_probability,
                }
                for issue in self.label_issues.issues
            ],
            "outliers": [
                {"file": self._name(outlier.row), "kind": outlier.kind, "score": outlier.score}
                for outlier in self.outliers.outliers
            ],
            "shortcuts": [shortcut.values(self.classes, self.accuracy) for shortcut in self.shortcuts],
            "properties": [shortcut.values(self.classes, self.accuracy) for shortcut in self.measured_shortcuts],
            "learning_curve": [point.values() for point in self.curve.points],
            "twice_as_many_images": None
            if self.curve.gain is None
            else {"gain": self.curve.gain[0], "interval": list(self.curve.gain[1:])},
            "accuracy": self.accuracy,
            "chance": self.chance,
            "label_errors": self.label_issues.values(),
            "balance": None if self.balance is None else self.balance.values(self.classes),
            "similar_classes": [pair.values(self.classes) for pair in self.similar],
            "baselines": {"duplicates": self.copies.values(), "outliers": self.outliers.values()},
            "skipped": [dict(skip) for skip in self.skipped],
            "undefined": dict(self.undefined),
        }

    def _name(self, row: int) -> str:
        return display_name(self.files[row])
