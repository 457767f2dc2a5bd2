"""Nearest neighbours of rows by blocked matrix products: no table of all pairs is ever in memory."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float32, Int64
from torch import Tensor

ROWS, COLUMNS = 1024, 16384  # of a block of the table of similarities: 64 MB
WORK = 1e11  # products beyond which neighbours are searched in fewer dimensions, and compared in all of them
AXES, SAMPLES, PASSES = 128, 4000, 3  # of the principal axes for that
SPARE = 8  # more neighbours searched there than are wanted

Found = tuple[Float32[np.ndarray, "n count"], Int64[np.ndarray, "n count"]]


def nearest_neighbours(
    rows: Float32[np.ndarray, "n d"], others: Float32[np.ndarray, "m d"], count: int, *, same: bool = False
) -> Found:
    """The largest inner products of each row with `others`, descending, and the places of those.

    Of very many rows, neighbours are searched on 128 principal axes: their inner products are exact, but a nearer
    one can be missed.

    Args:
        count: neighbours; fewer where `others` has fewer.
        same: whether `others` are the same images in the same order: no row is then its own neighbour.
    """
    count = max(0, min(count, len(others) - same))
    if count == 0:
        return np.empty((len(rows), 0), np.float32), np.empty((len(rows), 0), np.int64)
    left, right = torch.from_numpy(np.ascontiguousarray(rows)), torch.from_numpy(np.ascontiguousarray(others))
    if len(rows) * len(others) * rows.shape[1] <= WORK or rows.shape[1] <= 2 * AXES:
        return _search(left, right, count, same)
    axes = _principal_axes(right)
    wider = min(2 * count + SPARE, len(others) - same)
    return _exact(left, right, _search(left @ axes, right @ axes, wider, same)[1], count)


def _search(left: Tensor, right: Tensor, count: int, same: bool) -> Found:
    similarities, places = np.empty((len(left), count), np.float32), np.empty((len(left), count), np.int64)
    for start in range(0, len(left), ROWS):
        block = left[start : start + ROWS]
        best, best_places = torch.empty(len(block), 0), torch.empty(len(block), 0, dtype=torch.int64)
        for first in range(0, len(right), COLUMNS):
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


def _principal_axes(rows: Tensor) -> Tensor:
    """(d, AXES), by subspace iteration on a sample (Halko et al., 2011, https://doi.org/10.1137/090771806)."""
    generator = torch.Generator().manual_seed(0)
    sample = rows[torch.randperm(len(rows), generator=generator)[:SAMPLES]]
    axes = torch.randn(rows.shape[1], AXES, generator=generator)
    for _ in range(PASSES):
        axes = torch.linalg.qr(sample.T @ (sample @ axes)).Q
    return axes


def _exact(left: Tensor, right: Tensor, places: np.ndarray, count: int) -> Found:
    """The nearest `count` of the places (n, more), by all dimensions."""
    similarities = np.empty((len(left), count), np.float32)
    chosen = np.empty((len(left), count), np.int64)
    step = max(1, ROWS // 8)
    for start in range(0, len(left), step):
        near = torch.from_numpy(places[start : start + step])
        products = torch.einsum("nd,ncd->nc", left[start : start + step], right[near])
        top = products.topk(count, dim=1)
        similarities[start : start + step] = top.values.numpy()
        chosen[start : start + step] = near.gather(1, top.indices).numpy()
    return similarities, chosen
