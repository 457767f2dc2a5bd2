"""How far an adversarial image is from the clean one, measured on 8-bit pixels, strip by strip."""

from __future__ import annotations

import torch

from vitrail.attacks.similarity import structural_similarity, window_side
from vitrail.devices import to_float64
from vitrail.images import to_unit
from vitrail.tensors import Pixels

STRIP = 2**20  # pixels compared at once: their statistics take some thirty times the bytes of the image


def distances(clean: Pixels, adversarial: Pixels) -> tuple[list[float], list[float], list[float]]:
    """L2 and L-infinity norm of each perturbation, in pixel intensity, and the structural similarity.

    Args:
        clean, adversarial: (N, 3, H, W) uint8.
    """
    height, width = clean.shape[2:]
    rows = max(1, STRIP // width)
    squares = torch.zeros(len(clean), dtype=torch.int64, device=clean.device)
    largest = torch.zeros_like(squares)
    for top in range(0, height, rows):
        strip = slice(top, top + rows)
        change = (adversarial[:, :, strip].int() - clean[:, :, strip].int()).flatten(1)
        squares += change.square().sum(dim=1)
        largest = torch.maximum(largest, change.abs().amax(dim=1))
    l2 = to_float64(squares).sqrt() / 255
    return l2.tolist(), (to_float64(largest) / 255).tolist(), _similarity(clean, adversarial, rows)


def _similarity(clean: Pixels, adversarial: Pixels, rows: int) -> list[float]:
    """The mean over all windows: each strip has those that begin in it."""
    high = window_side(clean) - 1  # rows that a window reaches beyond its first
    windows = clean.shape[2] - high
    parts = []
    for top in range(0, windows, rows):
        count = min(rows, windows - top)
        strip = slice(top, top + count + high)
        side = window_side(clean)
        similarity = structural_similarity(to_unit(clean[:, :, strip]), to_unit(adversarial[:, :, strip]), side)
        parts.append(count * similarity)
    total = sum(to_float64(torch.stack(parts)), torch.zeros(()))
    return (total / windows).tolist()
