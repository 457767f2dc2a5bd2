"""Image classifiers on the features of pretrained networks, as scikit-learn estimators; `load` opens a saved one."""

from typing import TYPE_CHECKING

from vitrail.registry import lazy_names

if TYPE_CHECKING:
    from vitrail.linear_svm.estimators import LinearSVM as LinearSVM
    from vitrail.linear_svm.estimators import LinearSVMCV as LinearSVMCV
    from vitrail.transfer.classifier import load as load
    from vitrail.transfer.estimators import DeepFeatures as DeepFeatures
    from vitrail.transfer.estimators import TransferClassifier as TransferClassifier

__all__ = ["DeepFeatures", "LinearSVM", "LinearSVMCV", "TransferClassifier", "load"]

lazy_names(
    __name__,
    {
        "DeepFeatures": "vitrail.transfer.estimators",
        "LinearSVM": "vitrail.linear_svm.estimators",
        "LinearSVMCV": "vitrail.linear_svm.estimators",
        "TransferClassifier": "vitrail.transfer.estimators",
        "load": "vitrail.transfer.classifier",
    },
)
