"""The scale as a figure: samples among real images that were made worse, where the scale puts them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor

from vitrail.events import Event, Image
from vitrail.images import to_hwc, to_rgb
from vitrail.metrics.degradations import DEGRADATIONS
from vitrail.plots import grid
from vitrail.plots.encode import encode_png

COLUMNS = 12  # images in a row


def scale_figure(real: Tensor, samples: Tensor, scale: Mapping[str, Any] | None) -> Iterator[Event]:
    """The figure, if the scale could be read.

    Args:
        real, samples: (N, C, S, S) and (M, C, S, S) uint8.
        scale: the key of `result.json`.
    """
    if not scale:
        return
    rows = scale_rows(real, samples, scale, COLUMNS)
    images = to_hwc(torch.cat([images for _, images in rows]))
    sheet = grid({"": images.reshape(len(rows), -1, *images.shape[1:])}, [name for name, _ in rows], letters=32)
    yield Image("scale", f"Samples among real images made worse: {scale['text']}", encode_png(sheet))


def scale_rows(real: Tensor, samples: Tensor, scale: Mapping[str, Any], columns: int) -> list[tuple[str, Tensor]]:
    """Samples between real images that get worse from row to row: name, and images."""
    columns = min(columns, len(real), len(samples))
    # Evenly from the whole: both may be in the order of their classes.
    real, samples = (each[:: len(each) // columns][:columns] for each in (real, samples))
    if samples.shape[1] != real.shape[1]:
        real, samples = to_rgb(real).contiguous(), to_rgb(samples).contiguous()
    way = DEGRADATIONS[scale["degradation"]]
    strengths = way.strengths(real.shape[-1])
    rows = [("real images", real)]
    rows += [(way.describe(level), way.apply(real, level)) for level in strengths]
    place = min(1 + scale["reached"], len(rows))
    return [*rows[:place], ("samples", samples), *rows[place:]]
