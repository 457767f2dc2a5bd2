"""Simple properties of an image: what a classifier should not need to look at, and what odd images differ in."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float32
from PIL import Image

WORKING_SIDE = 256  # pixels of the short side beyond which an image is reduced first
COLOUR_SIDE = 32  # pixels: means need no more
FLAT = 4 / 255  # largest standard deviation of a line that counts as part of a uniform frame: JPEG's noise
JUMP = 0.25  # difference of neighbouring pixels that counts as an edge of print

PROPERTIES = (
    "width",  # pixels
    "height",  # pixels
    "bytes per pixel",  # of the file
    "brightness",  # mean intensity, 0 to 1
    "contrast",  # standard deviation of the intensity
    "white point",  # 99.9th percentile of the intensity
    "red",  # mean of red minus green
    "blue",  # mean of blue minus green
    "saturation",  # mean of largest minus smallest channel
    "sharpness",  # log10 of the deviation of the Laplacian over that of the image
    "frame brightness",  # mean of the outermost pixels
    "frame contrast",  # standard deviation of the outermost pixels
    "frame width",  # of the uniform frame, as a share of the short side, on the average side
    "frame area",  # share of the image that is uniform frame
    "paper",  # share of pixels of the most common intensity, a range of 3 / 64
    "print",  # share of neighbouring pixels that differ by more than JUMP
)


def measure_properties(image: Image.Image, file_size: int) -> Float32[np.ndarray, " P"]:
    """(P,), the properties of `PROPERTIES` in their order; all finite.

    Args:
        image: 'L' or 'RGB'.
        file_size: bytes.
    """
    width, height = image.size
    factor = min(width, height) // WORKING_SIDE
    if factor > 1:
        image = image.reduce(factor)
    grey = np.asarray(image if image.mode == "L" else image.convert("L"), np.float32) / 255
    contrast = float(grey.std())
    sharpness, edges = _edges(grey, contrast)
    return np.array(
        [
            width,
            height,
            file_size / (width * height),
            grey.mean(),
            contrast,
            np.partition(grey.ravel(), _place(grey.size))[_place(grey.size)],
            *_colour(image),
            sharpness,
            *_frame(grey),
            _paper(grey),
            edges,
        ],
        np.float32,
    )


def _place(size: int) -> int:
    return min(size - 1, int(0.999 * size))


def _colour(image: Image.Image) -> tuple[float, float, float]:
    if image.mode == "L":
        return 0.0, 0.0, 0.0
    small = np.asarray(image.resize((COLOUR_SIDE, COLOUR_SIDE), Image.Resampling.BOX), np.float32) / 255
    red, green, blue = np.moveaxis(small, -1, 0)
    saturation = small.max(axis=-1) - small.min(axis=-1)
    return float((red - green).mean()), float((blue - green).mean()), float(saturation.mean())


def _edges(grey: np.ndarray, contrast: float) -> tuple[float, float]:
    """Sharpness, log10 of a ratio that brightness and contrast do not change, and the share of edges as sharp as print.

    Both 0 where there is nothing to see.
    """
    if min(grey.shape) < 3 or contrast < 1 / 255:
        return 0.0, 0.0
    across, down = np.diff(grey, axis=1), np.diff(grey, axis=0)
    laplacian = across[1:-1, 1:] - across[1:-1, :-1]
    laplacian += down[1:, 1:-1]
    laplacian -= down[:-1, 1:-1]
    deviation = float(np.sqrt(np.vdot(laplacian, laplacian) / laplacian.size))
    jumps = np.count_nonzero(np.abs(across) > JUMP) + np.count_nonzero(np.abs(down) > JUMP)
    return float(np.log10(max(deviation / contrast, 1e-3))), jumps / (across.size + down.size)


def _frame(grey: np.ndarray) -> tuple[float, float, float, float]:
    """Brightness and contrast of the outermost pixels; mean width and area of the uniform frame."""
    outermost = np.concatenate([grey[0], grey[-1], grey[1:-1, 0], grey[1:-1, -1]])
    widths = [_run(lines) for lines in (grey, grey[::-1], grey.T, grey.T[::-1])]
    height, width = grey.shape
    inner = max(0, height - widths[0] - widths[1]) * max(0, width - widths[2] - widths[3])
    share = min(0.5, float(np.mean(widths)) / min(height, width))
    return float(outermost.mean()), float(outermost.std()), share, 1 - inner / grey.size


def _run(lines: np.ndarray) -> int:
    """The number of leading lines that are uniform."""
    return next((place for place, line in enumerate(lines) if line.std() >= FLAT), len(lines))


def _paper(grey: np.ndarray) -> float:
    """Share of the most common intensity."""
    counts = np.bincount((grey * 63.99).astype(np.uint8).ravel(), minlength=64)
    return float(np.convolve(counts, np.ones(3), "same").max() / grey.size)
