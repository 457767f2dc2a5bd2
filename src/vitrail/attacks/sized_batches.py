"""Image files as decoded, in batches of one size."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor

from vitrail.datasets.batches import BATCH
from vitrail.errors import BadImage
from vitrail.image_files import skipped_entry
from vitrail.images import read_pixels


@dataclass(frozen=True)
class SizedBatch:
    """Images of one size.

    Attributes:
        pixels: (N, 3, H, W) uint8, as decoded.
    """

    files: list[Path]
    pixels: Tensor = field(repr=False)


def sized_batches(files: Sequence[Path]) -> Iterator[SizedBatch | Mapping[str, str]]:
    """Consecutive files of the same size, at most `BATCH` together; what `result.json` says of each unreadable one."""
    waiting: list[tuple[Path, Tensor]] = []
    for file in files:
        try:
            pixels = read_pixels(file)
        except BadImage as error:
            yield skipped_entry(file, error)
            continue
        if waiting and (len(waiting) == BATCH or pixels.shape != waiting[0][1].shape):
            yield _batch(waiting)
            waiting = []
        waiting.append((file, pixels))
    if waiting:
        yield _batch(waiting)


def _batch(images: Sequence[tuple[Path, Tensor]]) -> SizedBatch:
    return SizedBatch([file for file, _ in images], torch.stack([pixels for _, pixels in images]))
