"""Checks of features that a caller passes to a metric."""

from typing import Any

import torch
from torch import Tensor

from vitrail.errors import BadSetting
from vitrail.validation import describe

FEWEST = 2  # images of which features have a spread
LARGEST = 1e15  # size of a feature: float32 still holds the sum of squares of many


def check_features(name: str, features: Any, *, like: Tensor | None = None, least: int = FEWEST) -> None:
    """Raises `BadSetting` unless `features` are (N, D), finite, of at least `least` images.

    Finite, and small enough for distances to be: infinite ones would all count as equal.

    Args:
        name: of the argument, for the message.
        like: features of the same network, whose D and device are those of these.
    """
    dense = isinstance(features, Tensor) and features.layout == torch.strided
    if not dense or features.ndim != 2 or not features.is_floating_point():
        raise BadSetting(f"{name} must be a dense tensor (N, D) of floats; got {describe(features)}.")
    if len(features) < least or not features.shape[1]:
        raise BadSetting(f"{name} must be of at least {least} images; got {describe(features)}.")
    if like is not None and features.shape[1] != like.shape[1]:
        raise BadSetting(
            f"{name} must be of the same network as the reference, with {like.shape[1]} features; "
            f"got {describe(features)}."
        )
    if like is not None and features.device != like.device:
        raise BadSetting(f"{name} and reference must be on one device; got {features.device} and {like.device}.")
    if not features.abs().amax() <= LARGEST:  # nor is NaN
        count = int((~(features.abs() <= LARGEST)).sum())
        raise BadSetting(f"{name} must be finite, of size {LARGEST:g} at most; got {count} values that are not.")
