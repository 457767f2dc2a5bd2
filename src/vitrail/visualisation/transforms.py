"""Small changes of place, size and sharpness: what survives them is no trick of single pixels.

Source: the transformation robustness of Lucid (Olah et al., 2017, https://distill.pub/2017/feature-visualization).
All randomness comes from the generator given, on the CPU whatever the images' device; a batch shares each draw, so
that an image comes out the same alone and in company.
"""

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Generator, Tensor

from vitrail.tensors import Images

STEP = 16  # pixels: what networks' strides come to, or half of it

Planes = Float[Tensor, "batch channels height width"]
Seen = Float[Tensor, "batch 3 high wide"]


def jitter(images: Images, most: int, generator: Generator) -> tuple[Images, tuple[int, int]]:
    """The images rolled down and right by 0 to `most` pixels each, and by how many."""
    down, right = torch.randint(0, most + 1, (2,), generator=generator).tolist()
    return images.roll((down, right), (2, 3)), (down, right)


def blur(images: Planes, sigma: float) -> Planes:
    """Gaussian blur; `sigma` in pixels, cut off at four of them, the image mirrored at its borders (edge included)."""
    reach = int(4 * sigma + 0.5)
    places = torch.arange(-reach, reach + 1, dtype=torch.float64)
    kernel = torch.exp(-0.5 * (places / sigma) ** 2)
    weights = (kernel / kernel.sum()).to(images)
    for axis in (2, 3):
        images = _blur_along(images, weights, axis)
    return images


def _blur_along(images: Planes, weights: Tensor, axis: int) -> Planes:
    reach, length = len(weights) // 2, images.shape[axis]
    places = torch.arange(-reach, length + reach, device=images.device) % (2 * length)
    padded = images.index_select(axis, torch.minimum(places, 2 * length - 1 - places))
    parts = (weight * padded.narrow(axis, start, length) for start, weight in enumerate(weights))
    return sum(parts, torch.zeros_like(images))


@dataclass(frozen=True)
class Views:
    """How differently a network is shown an image from step to step.

    Attributes:
        part: smallest and largest side of what is seen, as a share of the image's; above 1 its surroundings,
            mirrored, come into sight.
        degrees: turned by up to so many, either way.
        shift: moved by up to so much of the image's sides, either way, beyond what `part` leaves free.
        noise: standard deviation of what is added.
        size: smallest and largest size at which it is shown, as a share of the size asked for. A smaller one costs less
            by its square, and holds for a network that pools its last layer to one place, whatever was there before.
    """

    part: tuple[float, float] = (1.0, 1.0)
    degrees: float = 0.0
    shift: float = 0.0
    noise: float = 0.0
    size: tuple[float, float] = (1.0, 1.0)


def view(images: Images, views: Views, size: tuple[int, int], generator: Generator) -> Seen:
    """What is seen of the images this time; borders are mirrored, pixels interpolated linearly.

    Returns:
        (N, 3, high, wide), `size` times a share that `views` allows, in multiples of `STEP`.
    """
    across, down, turn, share, shrink = torch.rand(5, generator=generator).tolist()
    if views.size != (1.0, 1.0):
        shrink = views.size[0] + shrink * (views.size[1] - views.size[0])
        size = (_whole(shrink * size[0], size[0]), _whole(shrink * size[1], size[1]))
    part = views.part[0] + share * (views.part[1] - views.part[0])
    free = max(0.0, 1 - part) + 2 * views.shift  # in [-1, 1], which is how grids count, a side is 2 long
    angle = math.radians(views.degrees) * (2 * turn - 1)
    height, width = images.shape[2:]
    cos, sin, aspect = part * math.cos(angle), part * math.sin(angle), height / width
    affine = [[cos, -sin * aspect, free * (2 * across - 1)], [sin / aspect, cos, free * (2 * down - 1)]]
    grid = F.affine_grid(torch.tensor([affine], device=images.device), [1, 3, *size], align_corners=False)
    seen = F.grid_sample(images, grid.expand(len(images), -1, -1, -1), padding_mode="reflection", align_corners=False)
    if views.noise:
        seen = seen + views.noise * torch.randn(1, 3, *size, generator=generator).to(images.device)
    return seen


def _whole(side: float, most: int) -> int:
    """The nearest side that strides and kernels divide well."""
    return min(most, max(1, round(side / STEP)) * STEP)
