"""Deep features and a linear classifier, as scikit-learn estimators."""

from importlib import import_module
from typing import Any

_HOMES = {
    "DeepFeatures": "estimators",
    "LinearSVM": "linear_svm",
    "LinearSVMCV": "linear_svm",
    "TransferClassifier": "estimators",
}

__all__ = ["DeepFeatures", "LinearSVM", "LinearSVMCV", "TransferClassifier"]


def __getattr__(name: str) -> Any:
    if name in _HOMES:  # imports scikit-learn, so only when asked for
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
