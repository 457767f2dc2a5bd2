"""Pictures one after another, as a GIF; made with Pillow alone."""

from collections.abc import Sequence
from io import BytesIO

import numpy as np
from jaxtyping import UInt8
from PIL import Image

LAST = 15  # times as long as the others: the end is what one wants to see


def animation(pictures: Sequence[UInt8[np.ndarray, "height width 3"]], *, milliseconds: int = 80) -> bytes:
    """GIF that shows each picture for so long, the last one longer, and begins again.

    Args:
        pictures: RGB, all of one size; at least one.
    """
    first, *others = [Image.fromarray(picture) for picture in pictures]
    durations = [milliseconds] * len(others) + [LAST * milliseconds]
    out = BytesIO()
    first.save(out, "GIF", save_all=True, append_images=others, duration=durations, loop=0)
    return out.getvalue()
