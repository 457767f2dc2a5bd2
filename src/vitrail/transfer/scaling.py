"""Scales features so that a linear classifier with one C suits them all."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from jaxtyping import Float
from numpy import ndarray

Scaling = Literal["square-root", "unit", "none"]

ROWS = 4096  # scaled at a time, so that many images need no second copy of their features


def scale(blocks: Sequence[Float[ndarray, "n _"]], scaling: Scaling) -> Float[ndarray, "n d"]:
    """Blocks (n, d_i) of features, each scaled by itself, side by side: (n, sum of d_i) float32.

    "square-root" takes the signed square root, then divides each row by its length (the Hellinger map,
    Perronnin et al., 2010, https://doi.org/10.1007/978-3-642-15561-1_11); "unit" divides only.
    """
    ends = np.cumsum([block.shape[1] for block in blocks])
    joined = np.empty((len(blocks[0]), ends[-1]), np.float32)
    for end, block in zip(ends, blocks, strict=True):
        for start in range(0, len(block), ROWS):
            rows = slice(start, start + ROWS)
            joined[rows, end - block.shape[1] : end] = _scaled(block[rows], scaling)
    return joined


def _scaled(block: ndarray, scaling: Scaling) -> ndarray:
    if scaling == "none":
        return block
    rooted = np.sign(block) * np.sqrt(np.abs(block)) if scaling == "square-root" else block
    return np.asarray(rooted / np.maximum(np.linalg.norm(rooted, axis=1, keepdims=True), 1e-12))
