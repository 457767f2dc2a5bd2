"""The criterion of an attack: which logits count as success, and the margin to maximise."""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass, field

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from vitrail.errors import BadSetting
from vitrail.image_ascent import Objective, check_classes, margin, margins
from vitrail.tensors import Labels, Logits, Scores
from vitrail.validation import check_number

Flags = Bool[Tensor, " batch"]
MOST_CONFIDENCE = 1e4  # logits; float32 has no room for attacks on more


@dataclass(frozen=True)
class Criterion:
    """Misclassification (untargeted), or classification as a given class (targeted).

    Attributes:
        labels: (N,), the true classes of the images, or those that the network predicts.
        targets: (N,), the class to reach for each image; None: any class but the label.
        confidence: by how much the target's logit must exceed all others (untargeted: the largest other logit the
            label's), in logits.

    Raises:
        BadSetting: a negative class, a target equal to its label, another number of targets than of labels, or a
            negative confidence.
    """

    labels: Labels
    targets: Int[Tensor, " targets"] | None = None
    confidence: float = 0.0
    _largest: int = field(default=-1, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        check_number("confidence", self.confidence, least=0, most=MOST_CONFIDENCE, unit="in logits")
        check_classes("labels", self.labels)
        if self.targets is not None:
            check_classes("targets", self.targets)
        if self.targets is not None and self.targets.shape != self.labels.shape:
            given = f"{len(self.targets)} targets for {len(self.labels)} labels"
            raise BadSetting(f"Every image needs one target; got {given}.")
        if self.targets is not None and (self.targets == self.labels).any():
            same = int(self.labels[self.targets == self.labels][0])
            raise BadSetting(f"A target must differ from the image's class; got class {same} for both.")
        classes = self.labels if self.targets is None else torch.cat([self.labels, self.targets])
        smallest, largest = (int(classes.min()), int(classes.max())) if classes.numel() else (0, -1)
        if smallest < 0:
            raise BadSetting(f"A class is a number from 0 on; got {smallest}.")
        object.__setattr__(self, "_largest", largest)  # known once: a GPU would be waited for at every use

    def success(self, logits: Logits) -> Flags:
        """Which images with these logits are adversarial, (N,).

        Raises:
            BadSetting: a label or a target is no class of the network.
        """
        return self.margins(logits) > self.confidence

    def margins(self, logits: Logits) -> Scores:
        """The target's logit less the largest other; untargeted: the largest other less the label's, (N,)."""
        classes = logits.shape[1]
        if self._largest >= classes:
            raise BadSetting(f"The network has {classes} classes; got {self._largest}. Use 0 to {classes - 1}.")
        return -margins(logits, self.labels) if self.targets is None else margins(logits, self.targets)

    def objective(self) -> Objective:
        """`margins` as an objective to maximise; an image is adversarial where it exceeds `confidence`."""
        return -1.0 * margin(self.labels) if self.targets is None else margin(self.targets)

    def select(self, rows: Tensor | slice) -> Criterion:
        """The criterion of some of the images: row numbers, a mask or a slice. It is as right as this one is."""
        selected = copy(self)
        object.__setattr__(selected, "labels", self.labels[rows])
        object.__setattr__(selected, "targets", None if self.targets is None else self.targets[rows])
        return selected


def as_criterion(criterion: Criterion | Labels) -> Criterion:
    """The criterion; of labels (N,) that of misclassification."""
    return criterion if isinstance(criterion, Criterion) else Criterion(criterion)
