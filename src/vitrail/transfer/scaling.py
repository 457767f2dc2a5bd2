"""Scales features so that a linear classifier with one C suits them all."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np

Scaling = Literal["square-root", "unit", "none"]


def scale(blocks: Sequence[np.ndarray], scaling: Scaling) -> np.ndarray:
    """Blocks (n, d_i) of features, each scaled by itself, side by side: (n, sum of d_i) float32.

    "square-root" takes the signed square root, then divides each row by its length (the Hellinger map,
    Perronnin et al., 2010, https://doi.org/10.1007/978-3-642-15561-1_11); "unit" divides only.
    """
    return np.hstack([_scaled(block, scaling) for block in blocks]).astype(np.float32, copy=False)


def _scaled(block: np.ndarray, scaling: Scaling) -> np.ndarray:
    if scaling == "none":
        return block
    rooted = np.sign(block) * np.sqrt(np.abs(block)) if scaling == "square-root" else block
    return np.asarray(rooted / np.maximum(np.linalg.norm(rooted, axis=1, keepdims=True), 1e-12))
