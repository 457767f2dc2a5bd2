"""Class visualisation as taught: gradient ascent on pixels, with jitter, a periodic blur and a penalty on length.

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

# The rate, the penalty and the noise are stated in these units, whatever units the network itself works in.
MEAN = torch.tensor((0.485, 0.456, 0.406)).view(1, 3, 1, 1)
STD = torch.tensor((0.229, 0.224, 0.225)).view(1, 3, 1, 1)
SIGMA = 0.5  # pixels


@dataclass(frozen=True)
class LabRule:
    """The lab's settings; the tensors hold one value per image, (N,).

    Attributes:
        rate: length of each step, in standard deviations of ImageNet's colours.
        l2: lambda in L = score - lambda * ‖x‖₂, x in the same units, measured from ImageNet's mean.
        jitter: the image is shifted by up to so many pixels while it is looked at.
        blur_every: steps from blur to blur; the first step blurs. 0: never.
    """

    rate: Scores
    l2: Scores
    jitter: int = 16
    blur_every: int = 10


def noise(count: int, size: tuple[int, int], generator: Generator) -> Images:
    """Standard normal in the lab's units, the same for each of `count` images; reaches beyond [0, 1]."""
    drawn = torch.randn(1, 3, *size, generator=generator)
    return (drawn * STD + MEAN).repeat(count, 1, 1, 1)


def lab(
    backbone: Backbone, objective: Objective, start: Images, *, rule: LabRule, generator: Generator
) -> Iterator[Frame]:
    """Yields the images after each step, two forward passes' work for each; never ends, so the caller stops.

    Args:
        start: (N, 3, H, W); not changed.
    """
    std, mean = STD.to(start), MEAN.to(start)
    rate, l2 = _each(rule.rate, start), _each(rule.l2, start)
    images, step = start, 0
    while True:
        moved, (down, right) = jitter(images, rule.jitter, generator)
        found = input_gradient(backbone, moved, objective)
        x = (moved - mean) / std
        length = _length(x)
        gradient = found.gradient * std - l2 * x / length.clamp_min(1e-12)
        x = x + rate * gradient / _length(gradient).clamp_min(1e-12)
        images = (x * std + mean).roll((-down, -right), (2, 3)).clamp(0, 1)
        if rule.blur_every and step % rule.blur_every == 0:
            images = blur(images, SIGMA)
        step += 1
        yield Frame(step, images, found.scores - (l2 * length).flatten(), found.logits)


def _each(values: Tensor, images: Images) -> Tensor:
    return values.to(images).view(-1, 1, 1, 1)


def _length(images: Images) -> Tensor:
    length: Tensor = images.flatten(1).norm(dim=1)
    return length.view(-1, 1, 1, 1)
