"""Generators side by side: a row each, made from the same noise, under what they were told."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np
import torch
from torch import Tensor

from vitrail.datasets.pixels import PixelSet
from vitrail.images import to_rgb
from vitrail.plots import grid
from vitrail.plots.encode import encode_png
from vitrail.tasks.gan_generator import Generator
from vitrail.tensors import Condition

IMAGES = 20  # in a row, at most
COMBINATIONS = 10  # of attributes that are shown, the most frequent ones
LETTERS = 44  # of a row's name


@dataclass(frozen=True)
class Row:
    """Images of one generator, or real ones.

    Attributes:
        images: (count, S, S, 3) uint8.
        told: what each was told, in words; one after another alike.
    """

    images: np.ndarray
    told: tuple[str, ...]


def row_of(generator: Generator) -> Row:
    """The images of the seeds 0, 1, 2 ..., of each class or combination of attributes as many."""
    labels = shown_labels(generator)
    pixels = generator.images(generator.latents(0, len(labels)), labels)
    return Row(_rgb(pixels), tuple(map(generator.told, labels)))


def real_row(train: PixelSet, generator: Generator) -> Row:
    """Real images in the order of the generator's; white where there are too few."""
    labels = shown_labels(generator)
    if not generator.names:
        return Row(_rgb(train.images[: len(labels)]), ("",) * len(labels))
    found = torch.full((len(labels), *train.images.shape[1:]), 255, dtype=torch.uint8)
    for label in torch.unique(labels, dim=0):
        places = torch.nonzero(_same(labels, label))[:, 0]
        own = train.images[_same(train.labels, label)][: len(places)]
        found[places[: len(own)]] = own
    return Row(_rgb(found), tuple(map(generator.told, labels)))


def shown_labels(generator: Generator) -> Condition:
    """What a row's images are told, (count,) or (count, A)."""
    told = generator.description["condition"]
    if not generator.names:
        return torch.zeros(IMAGES, dtype=torch.long)
    if not generator.has_attributes:
        rows: Tensor = torch.tensor([row for row, _ in told])[:IMAGES]
    else:
        frequent = sorted(told, key=lambda entry: -entry[1])[:COMBINATIONS]
        rows = torch.tensor([row for row, _ in frequent]).float()
    return rows.repeat_interleave(max(1, IMAGES // len(rows)), dim=0)


def sheet(rows: Sequence[tuple[str, Row]]) -> bytes:
    """PNG with a row for each name; under headings, where all rows were told the same."""
    count = min(len(row.images) for _, row in rows)
    side = max(row.images.shape[1] for _, row in rows)
    images = np.stack([_enlarged(row.images[:count], side) for _, row in rows])
    told = rows[0][1].told[:count]
    alike = all(row.told[:count] == told for _, row in rows)
    spans = [(name, len(list(of))) for name, of in groupby(told)] if alike and any(told) else [("", count)]
    ends = np.cumsum([length for _, length in spans]).tolist()
    blocks = {name: images[:, end - length : end] for (name, length), end in zip(spans, ends, strict=True)}
    return encode_png(grid(blocks, [name for name, _ in rows], letters=LETTERS))


def _same(labels: Condition, label: Tensor) -> Tensor:
    """(N,): where a label is this one."""
    return labels == label if labels.ndim == 1 else (labels == label).all(dim=1)


def _rgb(pixels: Tensor) -> np.ndarray:
    found: np.ndarray = to_rgb(pixels).permute(0, 2, 3, 1).contiguous().numpy()
    return found


def _enlarged(images: np.ndarray, side: int) -> np.ndarray:
    """Small images by a whole factor, then with white around them, to (count, side, side, 3)."""
    factor = side // images.shape[1]
    larger = images.repeat(factor, axis=1).repeat(factor, axis=2)
    missing = side - larger.shape[1]
    border = (missing // 2, missing - missing // 2)
    return np.pad(larger, ((0, 0), border, border, (0, 0)), constant_values=255)
