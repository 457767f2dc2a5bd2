"""Where the object is: a map as a weak segmentation (Simonyan et al., 2014, section 3.2, https://arxiv.org/abs/1312.6034).

Their GrabCut stands in OpenCV; the random walker (Grady, 2006, https://doi.org/10.1109/TPAMI.2006.233), which spreads
the same two kinds of seeds along the image's colours, stands in scikit-image.
"""

from dataclasses import dataclass, field
from types import ModuleType

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from vitrail.errors import BadSetting, MissingExtra

OBJECT, GROUND = 0.95, 0.30  # quantiles of the map above and below which a pixel is a seed, as in the paper
BLUR = 0.02  # of the shorter side: slopes are grainy, and a seed should not be one grain
STIFFNESS = 130.0  # how strongly an edge of the image stops the walker


@dataclass(frozen=True)
class Region:
    """Where the object is.

    Attributes:
        mask: (H, W), true on the largest connected part that the walker gave to the object.
        box: left, top, right, bottom of the mask in pixels; right and bottom are the first ones outside.
    """

    mask: Bool[Tensor, "height width"] = field(repr=False)
    box: tuple[int, int, int, int]


def localise(image: Float[Tensor, "3 height width"], map: Float[Tensor, "height width"]) -> Region:
    """The object that a map points at: seeds by quantiles of the map's magnitude, spread along the image's colours.

    Args:
        image: RGB in [0, 1].
    Raises:
        BadSetting: the map is the same nearly everywhere.
        MissingExtra: scikit-image is not installed.
    """
    skimage = _skimage()
    smooth = skimage.filters.gaussian(map.abs().cpu().double().numpy(), BLUR * min(map.shape))
    seeds = _seeds(smooth)
    pixels = image.permute(1, 2, 0).cpu().double().numpy()
    walked = skimage.segmentation.random_walker(pixels, seeds, beta=STIFFNESS, mode="bf", channel_axis=-1)
    parts = skimage.measure.label(walked == 1)
    largest = parts == 1 + np.argmax(np.bincount(parts.ravel())[1:])
    rows, columns = (np.flatnonzero(largest.any(axis=axis)) for axis in (1, 0))
    box = (int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1)
    return Region(torch.from_numpy(largest).to(map.device), box)


def _seeds(smooth: np.ndarray) -> np.ndarray:
    """1 where the object is, 2 where it is not, 0 where the walker decides."""
    low, high = np.quantile(smooth, [GROUND, OBJECT])
    if not low < smooth.max():
        raise BadSetting(
            f"The map is {float(low):.3g} nearly everywhere and points at nothing; "
            "that of another method or class would work."
        )
    return np.where(smooth <= low, 2, np.where(smooth >= high, 1, 0))


def _skimage() -> ModuleType:
    try:
        import skimage
    except ImportError as error:
        raise MissingExtra(
            "Localising needs scikit-image, which is not installed: `pip install 'vitrail[demo]'`."
        ) from error
    return skimage
