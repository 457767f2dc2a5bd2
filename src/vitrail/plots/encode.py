"""Pixels as the bytes of a PNG file: the one PNG encoder."""

import io

import numpy as np
from PIL import Image


def encode_png(pixels: np.ndarray) -> bytes:
    """A PNG of `pixels`: (H, W, 3) uint8 as RGB, (H, W) uint8 as grey, (H, W) bool as black and white."""
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "PNG")
    return out.getvalue()
