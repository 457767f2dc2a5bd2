"""Nearest neighbours of rows by blocked matrix products: no table of all pairs is ever in memory."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float32, Int64

ROWS, COLUMNS = 1024, 16384  # of a block of the table of similarities: 64 MB


def nearest_neighbours(
    rows: Float32[np.ndarray, "n d"], others: Float32[np.ndarray, "m d"], count: int, *, same: bool = False
) -> tuple[Float32[np.ndarray, "n count"], Int64[np.ndarray, "n count"]]:
    """The largest inner products of each row with `others`, descending, and the places of those.

    Args:
        count: neighbours; fewer where `others` has fewer.
        same: whether `others` are the same images in the same order: no row is then its own neighbour.
    """
    count = min(count, len(others) - same)
    similarities = np.empty((len(rows), max(count, 0)), np.float32)
    places = np.empty((len(rows), max(count, 0)), np.int64)
    if count < 1:
        return similarities, places
    left, right = torch.from_numpy(np.ascontiguousarray(rows)), torch.from_numpy(np.ascontiguousarray(others))
    for start in range(0, len(rows), ROWS):
        block = left[start : start + ROWS]
        best, best_places = torch.empty(len(block), 0), torch.empty(len(block), 0, dtype=torch.int64)
        for first in range(0, len(others), COLUMNS):
            table = block @ right[first : first + COLUMNS].T
            if same:
                own = torch.arange(len(block)) + start - first
                inside = (own >= 0) & (own < table.shape[1])
                table[inside.nonzero()[:, 0], own[inside]] = -torch.inf
            top = table.topk(min(count, table.shape[1]), dim=1)
            best, best_places = torch.cat([best, top.values], 1), torch.cat([best_places, top.indices + first], 1)
            if best.shape[1] > count:
                best, order = best.topk(count, dim=1)
                best_places = best_places.gather(1, order)
        similarities[start : start + ROWS] = best.numpy()
        places[start : start + ROWS] = best_places.numpy()
    return similarities, places
