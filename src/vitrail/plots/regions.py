"""A region of an image: the rest paler, and a box around it."""

import numpy as np
from jaxtyping import Bool, UInt8

OUTSIDE_WHITE = 0.7  # share of white in what lies outside
BOX = (230, 81, 0)  # orange, which is seen on light and dark
LINE = 2  # pixels


def region(
    image: UInt8[np.ndarray, "height width 3"],
    mask: Bool[np.ndarray, "height width"],
    box: tuple[int, int, int, int],
) -> UInt8[np.ndarray, "height width 3"]:
    """The image with what lies outside the mask paler, and the box drawn around it.

    Args:
        box: left, top, right, bottom in pixels; right and bottom are the first ones outside.
    """
    paler = image * (1 - OUTSIDE_WHITE) + 255 * OUTSIDE_WHITE
    shown = np.where(mask[..., None], image, paler).round().astype(np.uint8)
    left, top, right, bottom = box
    for rows, columns in (
        (slice(top, top + LINE), slice(left, right)),
        (slice(max(top, bottom - LINE), bottom), slice(left, right)),
        (slice(top, bottom), slice(left, left + LINE)),
        (slice(top, bottom), slice(max(left, right - LINE), right)),
    ):
        shown[rows, columns] = BOX
    return shown
