"""Simple properties of an image: what a classifier should not need to look at, and what odd images differ in."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float32
from PIL import Image

WORKING_SIDE = 256  # pixels of the short side beyond which an image is reduced first
COLOUR_SIDE = 32  # pixels: means need no more
FLAT = 4 / 255  # largest standard deviation of a line that counts as part of a uniform frame: JPEG's noise
LEVELS = np.arange(256)
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


def measure_properties(
    image: Image.Image, file_size: int, *, grey: Image.Image | None = None
) -> Float32[np.ndarray, " P"]:
    """(P,), the properties of `PROPERTIES` in their order; all finite.

    Args:
        image: 'L' or 'RGB'.
        file_size: bytes.
        grey: the image as 'L', where it is known.
    """
    width, height = image.size
    grey = grey or image.convert("L")
    factor = min(width, height) // WORKING_SIDE
    if factor > 1:
        image, grey = image.reduce(factor), grey.reduce(factor)
    # All but the edges and the frame follows from the histogram, exactly.
    counts = np.array(grey.histogram())
    mean, contrast = _moments(counts)
    values = np.asarray(grey)
    sharpness, edges = _edges(values, contrast)
    white = np.searchsorted(np.cumsum(counts), _place(values.size), side="right") / 255
    paper = np.convolve(counts.reshape(64, 4).sum(axis=1), np.ones(3), "same").max() / values.size
    return np.array(
        [
            width,
            height,
            file_size / (width * height),
            mean,
            contrast,
            white,
            *_colour(image),
            sharpness,
            *_frame(values),
            paper,
            edges,
        ],
        np.float32,
    )


def _place(size: int) -> int:
    return min(size - 1, int(0.999 * size))


def _moments(counts: np.ndarray) -> tuple[float, float]:
    """Mean and standard deviation, in [0, 1], of a histogram of 256 intensities; of equal ones exactly 0."""
    total = counts.sum()
    mean = counts @ LEVELS / total
    return float(mean / 255), float(np.sqrt(counts @ (LEVELS - mean) ** 2 / total) / 255)


def _colour(image: Image.Image) -> tuple[float, float, float]:
    if image.mode == "L":
        return 0.0, 0.0, 0.0
    small = np.asarray(image.reduce(max(1, min(image.size) // COLOUR_SIDE)))
    channels = np.ascontiguousarray(small.reshape(-1, 3).T, np.float32)
    red, green, blue = channels.mean(axis=1) / 255
    saturation = (channels.max(axis=0) - channels.min(axis=0)).mean() / 255
    return float(red - green), float(blue - green), float(saturation)


def _edges(grey: np.ndarray, contrast: float) -> tuple[float, float]:
    """Sharpness, log10 of a ratio that brightness and contrast do not change, and the share of edges as sharp as print.

    Both 0 where there is nothing to see.
    """
    if min(grey.shape) < 3 or contrast < 1 / 255:
        return 0.0, 0.0
    levels = grey.astype(np.int16)
    across, down = levels[:, 1:] - levels[:, :-1], levels[1:] - levels[:-1]
    laplacian = across[1:-1, 1:] - across[1:-1, :-1]
    laplacian += down[1:, 1:-1]
    laplacian -= down[:-1, 1:-1]
    second = laplacian.astype(np.float32).ravel()
    deviation = float(np.sqrt(np.vdot(second, second) / second.size)) / 255
    jumps = sum(np.count_nonzero(np.abs(step) > 255 * JUMP) for step in (across, down))
    return float(np.log10(max(deviation / contrast, 1e-3))), jumps / (across.size + down.size)


def _frame(grey: np.ndarray) -> tuple[float, float, float, float]:
    """Brightness and contrast of the outermost pixels; mean width and area of the uniform frame."""
    outermost = np.concatenate([grey[0], grey[-1], grey[1:-1, 0], grey[1:-1, -1]])
    brightness, contrast = _moments(np.bincount(outermost, minlength=256))
    widths = [_run(lines) for lines in (grey, grey[::-1], grey.T, grey.T[::-1])]
    height, width = grey.shape
    inner = max(0, height - widths[0] - widths[1]) * max(0, width - widths[2] - widths[3])
    share = min(0.5, sum(widths) / 4 / min(height, width))
    return brightness, contrast, share, 1 - inner / grey.size


def _run(lines: np.ndarray) -> int:
    """The number of leading lines that are uniform."""
    return next((place for place, line in enumerate(lines) if _deviation(line) >= 255 * FLAT), len(lines))


def _deviation(line: np.ndarray) -> float:
    """As `line.std()`, which takes five times as long for a line of an image."""
    values = line.astype(np.float64)
    values -= values.sum() / len(values)
    return float(np.sqrt(np.dot(values, values) / len(values)))
