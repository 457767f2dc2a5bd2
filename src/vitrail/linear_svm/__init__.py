"""Linear support vector machines, solved to a certified optimum."""

from typing import TYPE_CHECKING

from vitrail.registry import lazy_names

if TYPE_CHECKING:
    from vitrail.linear_svm.estimators import LinearSVM as LinearSVM
    from vitrail.linear_svm.estimators import LinearSVMCV as LinearSVMCV

__all__ = ["LinearSVM", "LinearSVMCV"]

lazy_names(__name__, {"LinearSVM": "vitrail.linear_svm.estimators", "LinearSVMCV": "vitrail.linear_svm.estimators"})
