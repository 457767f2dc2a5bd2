"""Scaling of features, so that one C suits the features of all layers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from jaxtyping import Float
from numpy import ndarray

Scaling = Literal["square-root", "unit", "none"]

ROWS = 4096  # scaled at a time, so that no second copy of all features is needed


def scale(blocks: Sequence[Float[ndarray, "n _"]], scaling: Scaling) -> Float[ndarray, "n d"]:
    """Blocks (n, d_i) of features, each scaled separately and then concatenated: (n, sum of d_i) float32.

    "square-root": signed square root, then unit length of each row (the Hellinger map, Perronnin et al., 2010,
    https://doi.org/10.1007/978-3-642-15561-1_11); "unit": unit length only; "none": unchanged.
    """
    ends = np.cumsum([block.shape[1] for block in blocks])
    combined = np.empty((len(blocks[0]), ends[-1]), np.float32)
    for end, block in zip(ends, blocks, strict=True):
        for start in range(0, len(block), ROWS):
            rows = slice(start, start + ROWS)
            combined[rows, end - block.shape[1] : end] = _scaled(block[rows], scaling)
    return combined


def _scaled(block: ndarray, scaling: Scaling) -> ndarray:
    if scaling == "none":
        return block
    rooted = np.sign(block) * np.sqrt(np.abs(block)) if scaling == "square-root" else block
    return np.asarray(rooted / np.maximum(np.linalg.norm(rooted, axis=1, keepdims=True), 1e-12))
