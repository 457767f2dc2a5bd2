"""Trace of an ascent: the scores of all steps, and the pixels of the frames that are shown or saved."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from vitrail.images import to_hwc
from vitrail.visualisation.batches import Variant
from vitrail.visualisation.render import Frame

STRIP, ANIMATED = 6, 40  # largest number of frames of a strip and of an animation


@dataclass
class AscentTrace:
    """What is retained of one batch.

    Attributes:
        scores: (N,) of each step, on the network's device.
        frames: pixels (N, H, W, 3) by step: those of the strip, of the animation, and those to save.
        last: the latest frame.
    """

    variants: Sequence[Variant]
    scores: list[Tensor] = field(default_factory=list)
    frames: dict[int, np.ndarray] = field(default_factory=dict)
    last: Frame | None = None

    def add(self, frame: Frame) -> None:
        """Records a frame."""
        self.scores.append(frame.scores)
        self.last = frame
        if frame.step in {*evenly_spaced(self.total, ANIMATED), *self.strip, *self.variants[0].steps}:
            self.retain_last()

    def retain_last(self) -> None:
        """Retains the latest frame, e.g. where the ascent was stopped."""
        if self.last is not None:
            self.frames[self.last.step] = to_hwc(self.last.images)

    def curves(self) -> list[list[float]]:
        """The scores of each image, step by step."""
        return torch.stack(self.scores, dim=1).tolist() if self.scores else [[] for _ in self.variants]

    @property
    def total(self) -> int:
        """Number of steps of the whole ascent."""
        return self.variants[0].steps[-1]

    @property
    def strip(self) -> set[int]:
        """Steps of the strip; the last step of the ascent is one of them."""
        return evenly_spaced(self.total, STRIP)


def evenly_spaced(total: int, most: int) -> set[int]:
    """At most `most` steps up to `total`."""
    return {max(1, round(total * (place + 1) / most)) for place in range(most)}
