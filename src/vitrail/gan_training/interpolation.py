"""Interpolation between latents, spherical (White, 2016, https://arxiv.org/abs/1609.04468) or linear.

Latents from N(0, 1) in many dimensions lie near one sphere. A straight line between two of them leads through its
inside, where the generator was not trained.
"""

from collections.abc import Callable, Iterator
from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor

from vitrail.devices import to_float64
from vitrail.tensors import Features

Vector = Float[Tensor, "dimension"]
Fractions = Float[Tensor, "frames"]
Interpolation = Callable[[Tensor, Tensor, Tensor], Tensor]


def slerp(start: Vector, end: Vector, fractions: Fractions) -> Float[Tensor, "frames dimension"]:
    """Spherical interpolation from `start` (fraction 0) to `end` (fraction 1), (frames, dimension).

    The direction turns at constant angular speed and the length changes linearly; in White's formula the speed depends
    on the lengths. Between opposite vectors any half circle is as short: it passes the coordinate axis in which
    `start` is smallest.
    """
    first, last = to_float64(start), to_float64(end)
    lengths = torch.stack([first.norm(), last.norm()])
    if not bool((lengths > 0).all()):  # a vector of no length has no direction
        return lerp(start, end, fractions)
    ahead, aim = first / lengths[0], last / lengths[1]
    across = aim - (aim @ ahead) * ahead
    angle = torch.atan2(across.norm(), aim @ ahead)
    aside = across if across.norm() > 1e-9 else _perpendicular(ahead)
    aside = aside / aside.norm().clamp_min(1e-300)
    fraction = to_float64(fractions)[:, None]
    directions = ahead * torch.cos(fraction * angle) + aside * torch.sin(fraction * angle)
    points = directions * torch.lerp(lengths[0], lengths[1], fraction)
    return _with_ends(points.to(start), start, end, fraction)


def lerp(start: Vector, end: Vector, fractions: Fractions) -> Float[Tensor, "frames dimension"]:
    """Linear interpolation, (frames, dimension); for conditions, where the midpoint is half of each."""
    fraction = to_float64(fractions)[:, None]
    return _with_ends(torch.lerp(to_float64(start), to_float64(end), fraction).to(start), start, end, fraction)


def interpolate(
    keypoints: Features, between: Interpolation, *, steps: int, loop: bool = False
) -> Float[Tensor, "frames dimension"]:
    """Frames through all keypoints, `steps` from each to the next.

    Args:
        loop: continue from the last keypoint to the first, which is not repeated at the end.
    """
    fractions = torch.arange(steps) / steps
    parts = [between(start, end, fractions) for start, end in _segments(keypoints, loop=loop)]
    return torch.cat(parts if loop else [*parts, keypoints[-1:]])


def _segments(keypoints: Tensor, *, loop: bool) -> Iterator[tuple[Tensor, Tensor]]:
    yield from pairwise([*keypoints, keypoints[0]] if loop else keypoints)


def _with_ends(points: Tensor, start: Tensor, end: Tensor, fraction: Tensor) -> Tensor:
    """The points, with `start` and `end` exact rather than rounded."""
    at_start, at_end = ((fraction == place).to(start.device) for place in (0, 1))
    return torch.where(at_start, start, torch.where(at_end, end, points))


def _perpendicular(unit: Tensor) -> Tensor:
    """A vector perpendicular to a unit vector; the zero vector in one dimension."""
    axis = torch.zeros_like(unit)
    axis[unit.abs().argmin()] = 1.0
    return axis - (axis @ unit) * unit
