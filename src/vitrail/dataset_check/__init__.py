"""Check of a data set before it is learned from: copies, leaks, wrong labels, odd images, shortcuts, learning curve."""

from typing import TYPE_CHECKING

from vitrail.registry import lazy_names

if TYPE_CHECKING:
    from vitrail.dataset_check.check import check_dataset as check_dataset
    from vitrail.dataset_check.check_data import check as check
    from vitrail.dataset_check.check_data import open_check as open_check
    from vitrail.dataset_check.class_balance import class_balance as class_balance
    from vitrail.dataset_check.class_balance import similar_classes as similar_classes
    from vitrail.dataset_check.duplicates import Copies as Copies
    from vitrail.dataset_check.duplicates import find_copies as find_copies
    from vitrail.dataset_check.label_issues import LabelIssues as LabelIssues
    from vitrail.dataset_check.label_issues import find_label_issues as find_label_issues
    from vitrail.dataset_check.label_issues import issue_scores as issue_scores
    from vitrail.dataset_check.learning_curve import LearningCurve as LearningCurve
    from vitrail.dataset_check.learning_curve import learning_curve as learning_curve
    from vitrail.dataset_check.near_copies import find_near_copies as find_near_copies
    from vitrail.dataset_check.outliers import Outliers as Outliers
    from vitrail.dataset_check.outliers import find_outliers as find_outliers
    from vitrail.dataset_check.result import DatasetCheck as DatasetCheck
    from vitrail.dataset_check.ridge import LeftOut as LeftOut
    from vitrail.dataset_check.ridge import leave_out as leave_out
    from vitrail.dataset_check.scan import Scan as Scan
    from vitrail.dataset_check.scan import scan_images as scan_images
    from vitrail.dataset_check.shortcuts import SHORTCUTS as SHORTCUTS
    from vitrail.dataset_check.shortcuts import Shortcut as Shortcut
    from vitrail.dataset_check.shortcuts import measure_shortcuts as measure_shortcuts
    from vitrail.dataset_check.suspects import Suspect as Suspect
    from vitrail.dataset_check.suspects import list_suspects as list_suspects

__all__ = [
    "Copies",
    "DatasetCheck",
    "LabelIssues",
    "LearningCurve",
    "LeftOut",
    "Outliers",
    "SHORTCUTS",
    "Scan",
    "Shortcut",
    "Suspect",
    "check",
    "check_dataset",
    "class_balance",
    "find_copies",
    "find_label_issues",
    "find_near_copies",
    "find_outliers",
    "issue_scores",
    "learning_curve",
    "leave_out",
    "list_suspects",
    "measure_shortcuts",
    "open_check",
    "scan_images",
    "similar_classes",
]

lazy_names(
    __name__,
    {
        "Copies": "vitrail.dataset_check.duplicates",
        "DatasetCheck": "vitrail.dataset_check.result",
        "LabelIssues": "vitrail.dataset_check.label_issues",
        "LearningCurve": "vitrail.dataset_check.learning_curve",
        "LeftOut": "vitrail.dataset_check.ridge",
        "Outliers": "vitrail.dataset_check.outliers",
        "SHORTCUTS": "vitrail.dataset_check.shortcuts",
        "Scan": "vitrail.dataset_check.scan",
        "Shortcut": "vitrail.dataset_check.shortcuts",
        "Suspect": "vitrail.dataset_check.suspects",
        "check": "vitrail.dataset_check.check_data",
        "check_dataset": "vitrail.dataset_check.check",
        "class_balance": "vitrail.dataset_check.class_balance",
        "find_copies": "vitrail.dataset_check.duplicates",
        "find_label_issues": "vitrail.dataset_check.label_issues",
        "find_near_copies": "vitrail.dataset_check.near_copies",
        "find_outliers": "vitrail.dataset_check.outliers",
        "issue_scores": "vitrail.dataset_check.label_issues",
        "learning_curve": "vitrail.dataset_check.learning_curve",
        "leave_out": "vitrail.dataset_check.ridge",
        "list_suspects": "vitrail.dataset_check.suspects",
        "measure_shortcuts": "vitrail.dataset_check.shortcuts",
        "open_check": "vitrail.dataset_check.check_data",
        "scan_images": "vitrail.dataset_check.scan",
        "similar_classes": "vitrail.dataset_check.class_balance",
    },
)
