"""Structural similarity of two images (Wang et al., 2004, https://doi.org/10.1109/TIP.2003.819861)."""

from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from vitrail.errors import BadSetting
from vitrail.images import check_intensities
from vitrail.tensors import Images
from vitrail.validation import describe

WINDOW, DEVIATION = 11, 1.5  # pixels: the Gaussian that statistics are weighted by
FLOOR_MEAN, FLOOR_VARIANCE = 0.01**2, 0.03**2  # keep the quotients defined where there is no light or no contrast


def window_side(images: Tensor) -> int:
    """Side of the window that images (..., H, W) are compared through, in pixels."""
    height, width = images.shape[-2:]
    return min(WINDOW, int(height), int(width))


def structural_similarity(before: Images, after: Images, side: int | None = None) -> Float[Tensor, " batch"]:
    """(N,), at most 1, which it is for equal images: the mean over channels and windows that lie inside the image.

    Images smaller than the window are compared through one as large as they are.

    Args:
        side: of the window, in pixels; default: `window_side`.

    Raises:
        BadSetting: images of other shapes or types, or that are not in [0, 1].
    """
    _check_pair(before, after)
    window = _window(side or window_side(before)).to(before)
    kernel = (window[:, None] * window).expand(3, 1, -1, -1)

    def mean(values: Tensor) -> Tensor:
        return F.conv2d(values, kernel, groups=3)

    a, b = mean(before), mean(after)
    variance_a, variance_b = mean(before * before) - a * a, mean(after * after) - b * b
    covariance = mean(before * after) - a * b
    light = (2 * a * b + FLOOR_MEAN) / (a * a + b * b + FLOOR_MEAN)
    structure = (2 * covariance + FLOOR_VARIANCE) / (variance_a + variance_b + FLOOR_VARIANCE)
    return (light * structure).mean(dim=(1, 2, 3))


def _check_pair(before: Any, after: Any) -> None:
    tensors = isinstance(before, Tensor) and isinstance(after, Tensor) and before.is_floating_point()
    alike = tensors and (before.shape, before.dtype, before.device) == (after.shape, after.dtype, after.device)
    if not alike or before.ndim != 4 or before.shape[1] != 3 or not all(before.shape[2:]):
        raise BadSetting(
            "Images (N, 3, H, W) of floats, of one shape and type, are compared; "
            f"got {describe(before)} and {describe(after)}."
        )
    check_intensities(before)
    check_intensities(after)


def _window(size: int) -> Tensor:
    places = torch.arange(size) - (size - 1) / 2
    weights = torch.exp(-(places**2) / (2 * DEVIATION**2))
    return weights / weights.sum()
