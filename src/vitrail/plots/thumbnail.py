"""An image made small enough for its place in a figure."""

from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from vitrail.decoding import decode
from vitrail.errors import BadImage

LOADED = 512  # pixels; figures show images smaller than this
BLANK = 128  # pixels


def thumbnail(pixels: UInt8[np.ndarray, "height width 3"], side: int) -> Image.Image:
    """The image, its longer side at most `side` pixels; a small one comes back as it is."""
    image = Image.fromarray(pixels)
    image.thumbnail((side, side), Image.Resampling.LANCZOS, reducing_gap=2.0)
    return image


def load_thumbnail(file: Path) -> UInt8[np.ndarray, "height width 3"]:
    """The image in a file, upright, its longer side at most `LOADED` pixels.

    Raises:
        BadImage: it cannot be read, or be made so small while it is decoded.
    """
    _, image = decode(file, short_side=LOADED // 2)
    image = image.convert("RGB")
    image.thumbnail((LOADED, LOADED), Image.Resampling.LANCZOS, reducing_gap=2.0)
    return np.asarray(image)


def load_tile(file: Path) -> UInt8[np.ndarray, "height width 3"]:
    """As `load_thumbnail`; blank where the image cannot be shown, which is no reason to end a run."""
    try:
        return load_thumbnail(file)
    except BadImage:
        return np.full((BLANK, BLANK, 3), 235, np.uint8)
