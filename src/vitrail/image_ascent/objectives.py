"""Differentiable scores of images: small terms, added and scaled.

Source: the objective algebra of Lucid (Olah et al., 2017, https://distill.pub/2017/feature-visualization).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor

from vitrail.backbones.backbone import LOGITS
from vitrail.tensors import Images, Labels, Scores

Activations = Mapping[str, Tensor]


@dataclass(frozen=True)
class Objective:
    """A score per image, to be maximised; `a + 0.5 * b` is again an objective.

    Attributes:
        name: shown in messages.
        layers: names of the layers whose activations `score` reads.
        score: images (N, 3, H, W) and activations by layer to (N,); row i depends on image i only.
    """

    name: str
    layers: tuple[str, ...]
    score: Callable[[Images, Activations], Scores] = field(repr=False)

    def __call__(self, images: Images, activations: Activations) -> Scores:
        """The score of each image, (N,)."""
        return self.score(images, activations)

    def __add__(self, other: Objective) -> Objective:
        layers = tuple(dict.fromkeys((*self.layers, *other.layers)))
        return Objective(f"{self.name} + {other.name}", layers, lambda x, a: self(x, a) + other(x, a))

    def __sub__(self, other: Objective) -> Objective:
        return self + -1.0 * other

    def __mul__(self, factor: float) -> Objective:
        return Objective(f"{factor:g} {self.name}", self.layers, lambda x, a: factor * self(x, a))

    __rmul__ = __mul__


def class_score(targets: Labels) -> Objective:
    """The logit of each image's class in `targets`, (N,)."""
    return Objective("score", (LOGITS,), lambda _, a: a[LOGITS].gather(1, targets[:, None])[:, 0])


def margin(labels: Labels) -> Objective:
    """The logit of each image's class minus the highest other logit, (N,); negative: another class is predicted."""
    return Objective("margin", (LOGITS,), lambda _, a: margins(a[LOGITS], labels))


def margins(logits: Tensor, labels: Labels) -> Scores:
    """The logit of each row's label minus the highest other one, (N,)."""
    own = logits.gather(1, labels[:, None])
    others = logits.scatter(1, labels[:, None], -torch.inf)
    return own[:, 0] - others.amax(dim=1)


def channel(layer: str, index: int) -> Objective:
    """Mean activation of one channel of a layer, (N,); the layer's output is (N, C, ...)."""
    return Objective(f"{layer}[{index}]", (layer,), lambda _, a: a[layer][:, index].flatten(1).mean(dim=1))


def l2_norm() -> Objective:
    """L2 norm ‖x‖₂ of the image, (N,); subtracted, the regularisation of Simonyan et al., 2014.

    See https://arxiv.org/abs/1312.6034.
    """
    return Objective("l2_norm", (), lambda x, _: torch.linalg.vector_norm(x.flatten(1), dim=1))
