"""What a fooled network should say, as an object of its own: what counts as fooled, and what to climb to get there."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from vitrail.errors import BadSetting
from vitrail.image_ascent import Objective, margin
from vitrail.image_ascent.objectives import margins
from vitrail.tensors import Labels, Logits, Scores

Flags = Bool[Tensor, " batch"]


@dataclass(frozen=True)
class Goal:
    """Another class than the image's own (untargeted), or one certain class (targeted).

    Attributes:
        labels: (N,), the classes that the images show, or that the network sees in them.
        targets: (N,), the class that each should be taken for; None: any but its label.
        confidence: how far, in logits, the wanted class must lie above the others (above the label if untargeted).
    Raises:
        BadSetting: a class below 0, a target that is the label, another number of targets than of labels, or a
            confidence below 0.
    """

    labels: Labels
    targets: Int[Tensor, " targets"] | None = None
    confidence: float = 0.0

    def __post_init__(self) -> None:
        if not 0 <= self.confidence < float("inf"):
            raise BadSetting(f"confidence must be a number of 0 or more, in logits; got {self.confidence}.")
        if self.targets is not None and self.targets.shape != self.labels.shape:
            given = f"{len(self.targets)} targets for {len(self.labels)} labels"
            raise BadSetting(f"Every image needs one target; got {given}.")
        if self.targets is not None and (self.targets == self.labels).any():
            same = int(self.labels[self.targets == self.labels][0])
            raise BadSetting(f"A target must be another class than the image's own; got class {same} for both.")
        if self._classes().numel() and int(self._classes().min()) < 0:
            raise BadSetting(f"A class is a number from 0 on; got {int(self._classes().min())}.")

    def reached(self, logits: Logits) -> Flags:
        """Which images with these logits fool the network as wanted, (N,).

        Raises:
            BadSetting: a label or a target that the network does not have.
        """
        return self.scores(logits) > self.confidence

    def scores(self, logits: Logits) -> Scores:
        """How far the wanted class lies above the others, (N,), in logits; what `objective` gives."""
        classes = logits.shape[1]
        if self._classes().numel() and int(self._classes().max()) >= classes:
            largest = int(self._classes().max())
            raise BadSetting(f"The network knows {classes} classes; got {largest}; 0 to {classes - 1} would work.")
        return -margins(logits, self.labels) if self.targets is None else margins(logits, self.targets)

    def objective(self) -> Objective:
        """What to climb, in logits: the goal is reached where it exceeds `confidence`."""
        return -1.0 * margin(self.labels) if self.targets is None else margin(self.targets)

    def take(self, rows: Tensor | slice) -> Goal:
        """The goal of some of the images: row numbers, a mask or a slice."""
        return Goal(self.labels[rows], None if self.targets is None else self.targets[rows], self.confidence)

    def _classes(self) -> Tensor:
        return self.labels if self.targets is None else torch.cat([self.labels, self.targets])
