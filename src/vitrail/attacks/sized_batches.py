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


def sized_batches(files: Sequence[Path], *, memory: int) -> Iterator[SizedBatch | Mapping[str, str]]:
    """Consecutive files of the same size, at most `BATCH` together; what `result.json` says of each unreadable one.

    Args:
        memory: bytes; an eighth of it for the pixels of a batch, or one image.
    """
    waiting: list[tuple[Path, Tensor]] = []
    for file in files:
        try:
            pixels = read_pixels(file)
        except BadImage as error:
            yield skipped_entry(file, error)
            continue
        most = min(BATCH, memory // (8 * pixels.nbytes))
        if waiting and (len(waiting) >= most or pixels.shape != waiting[0][1].shape):
            yield _batch(waiting)
            waiting = []
        waiting.append((file, pixels))
    if waiting:
        yield _batch(waiting)


def _batch(images: Sequence[tuple[Path, Tensor]]) -> SizedBatch:
    pixels = torch.stack([each for _, each in images]) if len(images) > 1 else images[0][1][None]
    return SizedBatch([file for file, _ in images], pixels)
