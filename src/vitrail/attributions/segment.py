"""Weak segmentation: a region from a map (Simonyan et al., 2014, section 3.2, https://arxiv.org/abs/1312.6034).

In place of their GrabCut (OpenCV) the random walker of scikit-image (Grady, 2006,
https://doi.org/10.1109/TPAMI.2006.233) spreads the same two kinds of seeds along the image's colours.
"""

from dataclasses import dataclass, field
from types import ModuleType

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from vitrail.errors import BadSetting, MissingExtra
from vitrail.image_ascent import check_maps
from vitrail.images import check_intensities
from vitrail.validation import describe

OBJECT, BACKGROUND = 0.95, 0.30  # quantiles of the map above and below which a pixel is a seed, as in the paper
BLUR = 0.02  # of the shorter side: gradients are noisy, and a seed should not be a single pixel
EDGE_WEIGHT = 130.0  # how strongly an edge of the image stops the walker


@dataclass(frozen=True)
class Region:
    """A segmented object.

    Attributes:
        mask: (H, W), true on the largest connected part that the walker labels as object.
        box: left, top, right, bottom of the mask in pixels; right and bottom are exclusive.
    """

    mask: Bool[Tensor, "height width"] = field(repr=False)
    box: tuple[int, int, int, int]


def segment(image: Float[Tensor, "3 height width"], map: Float[Tensor, "height width"]) -> Region:
    """The object under the largest magnitudes of a map: seeds by quantiles, spread along the image's colours.

    Args:
        image: RGB in [0, 1].

    Raises:
        BadSetting: image and map do not fit each other, the map is constant nearly everywhere, or the image is.
        MissingExtra: scikit-image is not installed.
    """
    if not isinstance(image, Tensor) or not image.is_floating_point() or image.ndim != 3 or len(image) != 3:
        raise BadSetting(f"image must be a tensor (3, H, W) of floats, RGB; got {describe(image)}.")
    if not image.numel():
        raise BadSetting(f"image has no pixel; got {describe(image)}.")
    check_intensities(image)
    check_maps(map[None] if isinstance(map, Tensor) else map, image[None])
    image, map = image.detach(), map.detach()
    skimage = _skimage()
    smoothed = skimage.filters.gaussian(map.abs().cpu().double().numpy(), BLUR * min(map.shape))
    seeds = _seeds(smoothed)
    pixels = image.permute(1, 2, 0).cpu().double().numpy()
    if not pixels.std():
        raise BadSetting("An image of one colour has no edges to segment by. Use a photograph.")
    walked = skimage.segmentation.random_walker(pixels, seeds, beta=EDGE_WEIGHT, mode="bf", channel_axis=-1)
    parts = skimage.measure.label(walked == 1)
    largest = parts == 1 + np.argmax(np.bincount(parts.ravel())[1:])
    rows, columns = (np.flatnonzero(largest.any(axis=axis)) for axis in (1, 0))
    box = (int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1)
    return Region(torch.from_numpy(largest).to(map.device), box)


def _seeds(smoothed: np.ndarray) -> np.ndarray:
    """1: object, 2: background, 0: for the walker to decide."""
    low, high = np.quantile(smoothed, [BACKGROUND, OBJECT])
    if not low < smoothed.max():
        raise BadSetting(
            f"The map is {float(low):.3g} nearly everywhere and marks no object. Use another method or class."
        )
    return np.where(smoothed <= low, 2, np.where(smoothed >= high, 1, 0))


def _skimage() -> ModuleType:
    try:
        import skimage
    except ImportError as error:
        raise MissingExtra(
            "Segmentation needs scikit-image, which is not installed: `pip install 'vitrail[demo]'`."
        ) from error
    return skimage
