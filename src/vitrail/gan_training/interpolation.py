"""From one latent to the next: along the sphere (White, 2016, https://arxiv.org/abs/1609.04468), and back if wanted.

Latents from N(0, 1) in many dimensions all lie near one sphere. The straight line between two of them leads through
its inside, where the generator has never been asked anything.
"""

from collections.abc import Callable, Iterator
from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor

from vitrail.tensors import Features

Vector = Float[Tensor, "dimension"]
Fractions = Float[Tensor, "frames"]
Interpolation = Callable[[Tensor, Tensor, Tensor], Tensor]


def slerp(start: Vector, end: Vector, shares: Fractions) -> Float[Tensor, "frames dimension"]:
    """Points from `start` (share 0) to `end` (share 1): the direction turns at unit speed, the length goes evenly.

    White interpolates the vectors with their lengths on them, so that the speed depends on these. Between opposite
    vectors any half circle is as short: it leads past the coordinate axis that `start` leans to least.
    """
    first, last = start.double(), end.double()
    lengths = torch.stack([first.norm(), last.norm()])
    if not bool((lengths > 0).all()):  # a vector of no length has no direction
        return lerp(start, end, shares)
    ahead, aim = first / lengths[0], last / lengths[1]
    across = aim - (aim @ ahead) * ahead
    angle = torch.atan2(across.norm(), aim @ ahead)
    aside = across if across.norm() > 1e-9 else _perpendicular(ahead)
    aside = aside / aside.norm().clamp_min(1e-300)
    share = shares.double()[:, None]
    directions = ahead * torch.cos(share * angle) + aside * torch.sin(share * angle)
    points = directions * torch.lerp(lengths[0], lengths[1], share)
    return _with_ends(points.to(start), start, end, share)


def lerp(start: Vector, end: Vector, shares: Fractions) -> Float[Tensor, "frames dimension"]:
    """Points on the straight line: what a generator is told has a middle that means something, half of each."""
    share = shares.double()[:, None]
    return _with_ends(torch.lerp(start.double(), end.double(), share).to(start), start, end, share)


def interpolate(
    keypoints: Features, between: Interpolation, *, steps: int, loop: bool = False
) -> Float[Tensor, "frames dimension"]:
    """All stations one after another, `steps` frames from each to the next.

    Args:
        loop: go on from the last to the first, which does not come a second time: the frame after the last one is
            the first again.
    """
    shares = torch.arange(steps) / steps
    parts = [between(start, end, shares) for start, end in _segments(keypoints, loop=loop)]
    return torch.cat(parts if loop else [*parts, keypoints[-1:]])


def _segments(keypoints: Tensor, *, loop: bool) -> Iterator[tuple[Tensor, Tensor]]:
    yield from pairwise([*keypoints, keypoints[0]] if loop else keypoints)


def _with_ends(points: Tensor, start: Tensor, end: Tensor, share: Tensor) -> Tensor:
    """The points, the first and last exact: those are images that are known otherwise too."""
    return torch.where(share == 0, start, torch.where(share == 1, end, points))


def _perpendicular(unit: Tensor) -> Tensor:
    """A vector perpendicular to a unit vector; none in one dimension, where there is none."""
    axis = torch.zeros_like(unit)
    axis[unit.abs().argmin()] = 1.0
    return axis - (axis @ unit) * unit
