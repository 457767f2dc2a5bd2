"""A picture made small enough for its place in a figure."""

import numpy as np
from jaxtyping import UInt8
from PIL import Image


def thumbnail(picture: UInt8[np.ndarray, "height width 3"], side: int) -> Image.Image:
    """The picture, its longer side at most `side` pixels; a small one comes back as it is."""
    image = Image.fromarray(picture)
    image.thumbnail((side, side), Image.Resampling.LANCZOS, reducing_gap=2.0)
    return image
