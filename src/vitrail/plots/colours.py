"""Maps and differences as colours, alone and laid over the image they belong to."""

import numpy as np
from jaxtyping import Float, UInt8

from vitrail.plots import style

Map = Float[np.ndarray, "height width"]
Pixels = UInt8[np.ndarray, "height width 3"]

UNSIGNED, SIGNED = "inferno", "berlin"  # perceptually uniform: black to yellow; blue, black, red
BRIGHTEST = 99.5  # percentile that the end of the scale stands for: a few extreme pixels would darken all others
VEIL = 0.75  # share of the colour where a map is strongest


def scaled(values: Map) -> Map:
    """The map divided by its largest magnitude but for a few pixels': within [0, 1], or [−1, 1] if it has signs."""
    top = float(np.percentile(np.abs(values), BRIGHTEST)) or float(np.abs(values).max())
    return np.clip(values / top, -1, 1) if top else np.zeros_like(values)


def is_signed(values: Map) -> bool:
    """Whether a map says what speaks against the class as well."""
    return bool((values < 0).any())


def apply_colormap(values: Map) -> Pixels:
    """A map in colours: black to yellow, or with signs blue (against), black, red (for).

    Raises:
        MissingExtra: matplotlib is not installed.
    """
    signed, shown = is_signed(values), scaled(values)
    return style.coloured(SIGNED if signed else UNSIGNED, (shown + 1) / 2 if signed else shown)


def overlay(image: Pixels, values: Map) -> Pixels:
    """The image in grey with the map's colours over it, the stronger the more.

    Raises:
        MissingExtra: matplotlib is not installed.
    """
    grey = image.astype(np.float32).mean(axis=2, keepdims=True).repeat(3, axis=2)
    veil = VEIL * np.sqrt(np.abs(scaled(values)))[..., None]
    return np.asarray(((1 - veil) * grey + veil * apply_colormap(values)).round(), np.uint8)


def magnified_difference(before: Pixels, after: Pixels, factor: float) -> Pixels:
    """`after − before`, times `factor`, around the middle grey that means none."""
    shades = (128 + factor * np.arange(-255, 256, dtype=np.float32)).round().clip(0, 255).astype(np.uint8)
    change = after.astype(np.int16)
    change -= before
    change += 255
    return np.asarray(shades[change])
