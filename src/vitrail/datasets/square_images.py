"""Image files as squares of one size."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from vitrail.datasets.pixels import PixelSet
from vitrail.devices import cpu_count
from vitrail.errors import BadImage
from vitrail.image_files import none_readable, skipped_entry
from vitrail.images import read_pixels


@dataclass(frozen=True)
class ReadImages:
    """Images of one size, and `file`, `kind` and `reason` of those that could not be read."""

    images: PixelSet
    skipped: tuple[dict[str, str], ...]


def read_square_images(files: Sequence[Path], labels: Tensor, names: tuple[str, ...], size: int) -> ReadImages:
    """Images from files, the middle square of each at `size` pixels a side; unreadable ones are skipped.

    Raises:
        BadImage: none can be read.
    """

    def one(file: Path) -> Tensor | dict[str, str]:
        try:
            return read_pixels(file, short_side=size, crop=size)
        except BadImage as error:
            return skipped_entry(file, error)

    with ThreadPoolExecutor(cpu_count()) as pool:
        results = list(pool.map(one, files))
    rows = [row for row, image in enumerate(results) if isinstance(image, Tensor)]
    skipped = tuple(entry for entry in results if isinstance(entry, dict))
    if not rows:
        raise none_readable(skipped)
    images = torch.stack([image for image in results if isinstance(image, Tensor)])
    return ReadImages(PixelSet(images, labels[rows], names, tuple(files[row] for row in rows)), skipped)
