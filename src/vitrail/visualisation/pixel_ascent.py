"""Gradient ascent on pixels, with jitter, a periodic Gaussian blur and an L2 penalty.

Sources: Simonyan et al., 2014, https://arxiv.org/abs/1312.6034; Yosinski et al., 2015,
https://arxiv.org/abs/1506.06579; the steps of Stanford's CS231n, assignment 3, https://cs231n.github.io.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from vitrail.backbones.backbone import Backbone
from vitrail.image_ascent import Objective, input_gradient
from vitrail.tensors import Images, Scores
from vitrail.visualisation.render import Frame
from vitrail.visualisation.transforms import blur, jitter

# Step size, penalty and noise are in these units, whatever normalisation the network itself uses.
IMAGENET_MEAN = torch.tensor((0.485, 0.456, 0.406)).view(1, 3, 1, 1)
IMAGENET_STD = torch.tensor((0.229, 0.224, 0.225)).view(1, 3, 1, 1)
SIGMA = 0.5  # pixels, of the blur


@dataclass(frozen=True)
class PixelAscentOptions:
    """Options of `pixel_ascent`; the tensors hold one value per image, (N,).

    Attributes:
        step_size: L2 norm of each step, in standard deviations of ImageNet's colours.
        l2: lambda in L = score - lambda * ‖x‖₂, x in the same units, measured from ImageNet's mean.
        jitter: largest random shift in pixels, undone after the step.
        blur_every: steps between blurs; the first step blurs. 0: never.
    """

    step_size: Scores
    l2: Scores
    jitter: int = 16
    blur_every: int = 10


def gaussian_noise(count: int, size: tuple[int, int], generator: Generator) -> Images:
    """Standard normal noise in ImageNet's normalised units, the same for each of `count` images; exceeds [0, 1]."""
    draw = torch.randn(1, 3, *size, generator=generator)
    return (draw * IMAGENET_STD + IMAGENET_MEAN).repeat(count, 1, 1, 1)


def pixel_ascent(
    backbone: Backbone, objective: Objective, start: Images, *, options: PixelAscentOptions, generator: Generator
) -> Iterator[Frame]:
    """Yields the images after each step, without end; a step costs as much as two forward passes.

    Args:
        start: (N, 3, H, W); not changed.
        generator: source of the jitter.
    """
    std, mean = IMAGENET_STD.to(start), IMAGENET_MEAN.to(start)
    step_size, l2 = _per_image(options.step_size, start), _per_image(options.l2, start)
    images, step = start, 0
    while True:
        shifted, (down, right) = jitter(images, options.jitter, generator)
        result = input_gradient(backbone, shifted, objective, check=step == 0)
        x = (shifted - mean) / std
        norm = _norm(x)
        gradient = result.gradient * std - l2 * x / norm.clamp_min(1e-12)
        x = x + step_size * gradient / _norm(gradient).clamp_min(1e-12)
        images = (x * std + mean).roll((-down, -right), (2, 3)).clamp(0, 1)
        if options.blur_every and step % options.blur_every == 0:
            images = blur(images, SIGMA)
        step += 1
        yield Frame(step, images, result.scores - (l2 * norm).flatten(), result.logits)


def _per_image(values: Tensor, images: Images) -> Tensor:
    return values.to(images).view(-1, 1, 1, 1)


def _norm(images: Images) -> Tensor:
    norm: Tensor = torch.linalg.vector_norm(images.flatten(1), dim=1)
    return norm.view(-1, 1, 1, 1)
