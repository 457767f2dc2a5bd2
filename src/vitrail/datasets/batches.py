"""Image files in batches, as a network sees them: the one reader of image batches."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from vitrail.devices import cpu_count
from vitrail.errors import BadImage
from vitrail.image_files import display_name
from vitrail.images import read_pixels

if TYPE_CHECKING:
    from torch import Tensor

    from vitrail.preprocessing import Preprocessing

BATCH = 32  # images that are read and worked on together


@dataclass(frozen=True)
class Batch:
    """Images as a network sees them.

    Attributes:
        rows: (N,), where in the list each of `files` is.
        pixels: (N, 3, S, S) uint8, one for each of `files`.
        skipped: those that could not be read, and why.
    """

    files: list[Path]
    rows: list[int]
    pixels: Tensor = field(repr=False)
    skipped: list[dict[str, str]]


def batches(files: Sequence[Path], preprocessing: Preprocessing, *, size: int = BATCH) -> Iterator[Batch]:
    """The images in `files`, prepared, at most `size` at a time; a batch of which none could be read has no rows."""
    import torch

    def read(file: Path) -> Tensor | str:
        try:
            return read_pixels(
                file,
                short_side=preprocessing.short_side,
                crop=preprocessing.size,
                interpolation=preprocessing.interpolation,
            )
        except BadImage as error:
            return str(error)

    with ThreadPoolExecutor(cpu_count()) as pool:
        for start in range(0, len(files), size):
            part = files[start : start + size]
            found = list(zip(part, pool.map(read, part), strict=True))
            pixels = [image for _, image in found if not isinstance(image, str)]
            empty = torch.zeros(0, 3, preprocessing.size, preprocessing.size, dtype=torch.uint8)
            yield Batch(
                [file for file, image in found if not isinstance(image, str)],
                [row for row, (_, image) in enumerate(found, start) if not isinstance(image, str)],
                torch.stack(pixels) if pixels else empty,
                [{"file": display_name(file), "reason": why} for file, why in found if isinstance(why, str)],
            )
