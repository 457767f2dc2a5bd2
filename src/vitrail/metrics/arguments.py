"""Checks of features that a caller passes to a metric."""

from typing import Any

from torch import Tensor

from vitrail.errors import BadSetting
from vitrail.validation import describe

FEWEST = 2  # images of which features have a spread


def check_features(name: str, features: Any, *, like: Tensor | None = None, least: int = FEWEST) -> None:
    """Raises `BadSetting` unless `features` are (N, D), finite, of at least `least` images.

    Args:
        name: of the argument, for the message.
        like: features of the same network, whose D is that of these.
    """
    if not isinstance(features, Tensor) or features.ndim != 2 or not features.is_floating_point():
        raise BadSetting(f"{name} must be a tensor (N, D) of floats; got {describe(features)}.")
    if len(features) < least or not features.shape[1]:
        raise BadSetting(f"{name} must be of at least {least} images; got {describe(features)}.")
    if like is not None and features.shape[1] != like.shape[1]:
        raise BadSetting(
            f"{name} must be of the same network as the reference, with {like.shape[1]} features; "
            f"got {describe(features)}."
        )
    if not features.isfinite().all():
        raise BadSetting(f"{name} must be finite; got {int((~features.isfinite()).sum())} values that are not.")
