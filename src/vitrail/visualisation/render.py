"""Images that raise a score, made step by step with Adam on any parametrisation."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Generator

from vitrail.backbones.backbone import Backbone
from vitrail.image_ascent import Objective, input_gradient
from vitrail.tensors import Images, Logits, Scores
from vitrail.visualisation.parametrisations import Parametrisation
from vitrail.visualisation.transforms import Views, view


@dataclass(frozen=True)
class Frame:
    """The images after a step, and what the network said on the way there.

    Attributes:
        step: how many steps were taken.
        images: (N, 3, H, W) in [0, 1].
        scores, logits: (N,) and (N, K) of what this step showed to the network.
    """

    step: int
    images: Images
    scores: Scores
    logits: Logits


@dataclass(frozen=True)
class Ascent:
    """How images are climbed.

    Attributes:
        rate: Adam's.
        views: how the network is shown them.
    """

    rate: float
    views: Views


def render(
    backbone: Backbone,
    objective: Objective,
    canvas: Parametrisation,
    *,
    ascent: Ascent,
    generator: Generator,
) -> Iterator[Frame]:
    """Yields the images after each step, two forward passes' work for each; never ends, so the caller stops.

    Args:
        canvas: its parameters are moved.
    """
    climber = torch.optim.Adam([canvas.parameters], lr=ascent.rate, maximize=True)
    images, step = _drawn(canvas), 0
    while True:
        with torch.enable_grad():
            seen = view(images, ascent.views, (backbone.size, backbone.size), generator)
        found = input_gradient(backbone, seen, objective)
        (canvas.parameters.grad,) = torch.autograd.grad(seen, canvas.parameters, found.gradient)
        climber.step()
        images, step = _drawn(canvas), step + 1
        yield Frame(step, images.detach(), found.scores, found.logits)


def _drawn(canvas: Parametrisation) -> Images:
    with torch.enable_grad():
        return canvas.image()
