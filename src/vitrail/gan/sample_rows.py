"""Rows of samples: a row per generator, or of real images, in the same order of labels and from the same latents."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np
import torch
from torch import Tensor

from vitrail.datasets.pixels import PixelSet
from vitrail.gan.generator_network import GeneratorNetwork
from vitrail.images import to_hwc
from vitrail.plots import grid
from vitrail.plots.encode import encode_png
from vitrail.tensors import Condition

IMAGES = 20  # in a row, at most
COMBINATIONS = 10  # of attributes, the most frequent ones
LETTERS = 44  # of a row's name


@dataclass(frozen=True)
class SampleRow:
    """Generated or real images.

    Attributes:
        images: (count, S, S, 3) uint8.
        labels: name of the label of each image, equal ones next to each other; "" if unconditional.
    """

    images: np.ndarray
    labels: tuple[str, ...]


def generated_row(generator: GeneratorNetwork) -> SampleRow:
    """Images of the seeds 0, 1, 2 ..., equally many of each class or frequent combination of attributes."""
    labels = row_labels(generator)
    pixels = generator.images(generator.latents(0, len(labels)), labels)
    return SampleRow(to_hwc(pixels), tuple(map(generator.label_name, labels)))


def real_row(train: PixelSet, generator: GeneratorNetwork) -> SampleRow:
    """Real images in the order of `generated_row`; white where there are too few."""
    labels = row_labels(generator)
    if not generator.names:
        return SampleRow(to_hwc(train.images[: len(labels)]), ("",) * len(labels))
    pixels = torch.full((len(labels), *train.images.shape[1:]), 255, dtype=torch.uint8)
    for label in torch.unique(labels, dim=0):
        places = torch.nonzero(_equals(labels, label))[:, 0]
        real = train.images[_equals(train.labels, label)][: len(places)]
        pixels[places[: len(real)]] = real
    return SampleRow(to_hwc(pixels), tuple(map(generator.label_name, labels)))


def row_labels(generator: GeneratorNetwork) -> Condition:
    """Conditions of a row's images, (count,) or (count, A)."""
    condition = generator.description["condition"]
    if not generator.names:
        return torch.zeros(IMAGES, dtype=torch.long)
    if not generator.has_attributes:
        labels: Tensor = torch.tensor([label for label, _ in condition])[:IMAGES]
    else:
        frequent = sorted(condition, key=lambda entry: -entry[1])[:COMBINATIONS]
        labels = torch.tensor([label for label, _ in frequent]).float()
    return labels.repeat_interleave(max(1, IMAGES // len(labels)), dim=0)


def sample_sheet(rows: Sequence[tuple[str, SampleRow]]) -> bytes:
    """PNG of named rows; under headings with the labels if these are the same in all rows."""
    count = min(len(row.images) for _, row in rows)
    side = max(row.images.shape[1] for _, row in rows)
    images = np.stack([_enlarge(row.images[:count], side) for _, row in rows])
    labels = rows[0][1].labels[:count]
    equal = all(row.labels[:count] == labels for _, row in rows)
    spans = [(name, len(list(run))) for name, run in groupby(labels)] if equal and any(labels) else [("", count)]
    ends = np.cumsum([length for _, length in spans]).tolist()
    blocks = {name: images[:, end - length : end] for (name, length), end in zip(spans, ends, strict=True)}
    return encode_png(grid(blocks, [name for name, _ in rows], letters=LETTERS))


def image_rows(pixels: Tensor, rows: int) -> np.ndarray:
    """(N, C, S, S) uint8 as (rows, N // rows, S, S, 3); images that do not fill the rows are left out."""
    columns = max(1, len(pixels) // rows)
    images = to_hwc(pixels[: rows * columns])
    return images.reshape(-1, columns, *images.shape[1:])


def _equals(labels: Condition, label: Tensor) -> Tensor:
    """(N,): where a label equals this one."""
    return labels == label if labels.ndim == 1 else (labels == label).all(dim=1)


def _enlarge(images: np.ndarray, side: int) -> np.ndarray:
    """Images enlarged by a whole factor, then padded with white to (count, side, side, 3)."""
    factor = side // images.shape[1]
    larger = images.repeat(factor, axis=1).repeat(factor, axis=2)
    missing = side - larger.shape[1]
    border = (missing // 2, missing - missing // 2)
    return np.pad(larger, ((0, 0), border, border, (0, 0)), constant_values=255)
