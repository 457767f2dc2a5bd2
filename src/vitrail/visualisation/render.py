"""Activation maximisation: images that raise a score, by Adam on the parameters of any parametrisation.

Source: Olah et al., 2017, https://distill.pub/2017/feature-visualization.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Generator

from vitrail.backbones.backbone import Backbone
from vitrail.image_ascent import Objective, input_gradient
from vitrail.tensors import Images, Logits, Scores
from vitrail.visualisation.parametrisations import Parametrisation
from vitrail.visualisation.transforms import RandomTransforms


@dataclass(frozen=True)
class Frame:
    """The images after a step, and the scores and logits that the step started from.

    Attributes:
        step: number of steps taken.
        images: (N, 3, H, W) in [0, 1].
        scores: (N,), of the randomly transformed images before the step.
        logits: (N, K), of the same: not the logits of `images`.
    """

    step: int
    images: Images
    scores: Scores
    logits: Logits


@dataclass(frozen=True)
class AscentOptions:
    """Options of `render`.

    Attributes:
        step_size: Adam's learning rate.
        transforms: random transformations of the images before each forward pass.
    """

    step_size: float
    transforms: RandomTransforms


def render(
    backbone: Backbone,
    objective: Objective,
    parametrisation: Parametrisation,
    *,
    options: AscentOptions,
    generator: Generator,
) -> Iterator[Frame]:
    """Yields the images after each step, without end; a step costs as much as two forward passes.

    Args:
        parametrisation: its parameters are changed in place.
        generator: source of the random transformations.
    """
    optimizer = torch.optim.Adam([parametrisation.parameters], lr=options.step_size, maximize=True)
    images, step = _images(parametrisation), 0
    while True:
        with torch.enable_grad():
            transformed = options.transforms(images, (backbone.size, backbone.size), generator)
        result = input_gradient(backbone, transformed, objective, check=step == 0)
        (parametrisation.parameters.grad,) = torch.autograd.grad(
            transformed, parametrisation.parameters, result.gradient
        )
        optimizer.step()
        images, step = _images(parametrisation), step + 1
        yield Frame(step, images.detach(), result.scores, result.logits)


def _images(parametrisation: Parametrisation) -> Images:
    with torch.enable_grad():
        return parametrisation.image()
