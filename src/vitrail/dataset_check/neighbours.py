"""Nearest neighbours of rows by blocked matrix products: no table of all pairs is ever in memory."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float32, Int64
from torch import Tensor

from vitrail.dataset_check.threads import in_threads

ROWS, COLUMNS = 256, 16384  # of a block of the table of similarities: 16 MB
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
    # Filled in place: small results of many blocks between tables that are freed would keep the memory of these.
    similarities, places = np.empty((len(left), count), np.float32), np.empty((len(left), count), np.int64)

    def search(start: int) -> None:
        best, where = _search_block(left, right, count, start if same else None, start)
        similarities[start : start + ROWS], places[start : start + ROWS] = best.numpy(), where.numpy()

    in_threads(search, range(0, len(left), ROWS))
    return similarities, places


def _search_block(left: Tensor, right: Tensor, count: int, own: int | None, start: int) -> tuple[Tensor, Tensor]:
    """Of `ROWS` rows from `start`; `own`: the place of the first of them in `right`, if they are there."""
    block = left[start : start + ROWS]
    best, places = torch.empty(len(block), 0), torch.empty(len(block), 0, dtype=torch.int64)
    for first in range(0, len(right), COLUMNS):
        table = block @ right[first : first + COLUMNS].T
        if own is not None:
            column = torch.arange(len(block)) + own - first
            inside = (column >= 0) & (column < table.shape[1])
            table[inside.nonzero()[:, 0], column[inside]] = -torch.inf
        top = table.topk(min(count, table.shape[1]), dim=1)
        best, places = torch.cat([best, top.values], 1), torch.cat([places, top.indices + first], 1)
        if best.shape[1] > count:
            best, order = best.topk(count, dim=1)
            places = places.gather(1, order)
    return best, places


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
    step = max(1, ROWS // 2)
    similarities, chosen = np.empty((len(left), count), np.float32), np.empty((len(left), count), np.int64)

    def nearest(start: int) -> None:
        near = torch.from_numpy(places[start : start + step])
        products = torch.bmm(right[near], left[start : start + step, :, None])[..., 0]
        top = products.topk(count, dim=1)
        similarities[start : start + step] = top.values.numpy()
        chosen[start : start + step] = near.gather(1, top.indices).numpy()

    in_threads(nearest, range(0, len(left), step))
    return similarities, chosen
