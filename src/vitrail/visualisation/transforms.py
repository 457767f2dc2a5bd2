"""Random crops, rotations, shifts and resizing: an image that survives them does not rely on single pixels.

Source: the transformation robustness of Lucid (Olah et al., 2017, https://distill.pub/2017/feature-visualization).
All randomness comes from the generator given, on the CPU whatever the images' device; a batch shares each draw, so
that an image does not depend on the others of its batch.
"""

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Generator, Tensor

from vitrail.tensors import Images

STRIDE = 16  # pixels: the total stride of common networks, or half of it

Planes = Float[Tensor, "batch channels height width"]
TransformedImages = Float[Tensor, "batch 3 high wide"]


def jitter(images: Images, most: int, generator: Generator) -> tuple[Images, tuple[int, int]]:
    """The images rolled down and right by 0 to `most` pixels each, and the two offsets."""
    down, right = torch.randint(0, most + 1, (2,), generator=generator).tolist()
    return images.roll((down, right), (2, 3)), (down, right)


def blur(images: Planes, sigma: float) -> Planes:
    """Gaussian blur, equal to SciPy's `gaussian_filter`; `sigma` in pixels, truncated at four of them.

    The border is mirrored including the edge. torchvision's `gaussian_blur` mirrors without it and so gives other
    values near the border; importing torchvision also takes seconds.
    """
    radius = int(4 * sigma + 0.5)
    offsets = torch.arange(-radius, radius + 1, dtype=torch.float64)
    kernel = torch.exp(-0.5 * (offsets / sigma) ** 2)
    weights = (kernel / kernel.sum()).to(images.dtype).to(images.device)
    for axis in (2, 3):
        images = _blur_along(images, weights, axis)
    return images


def _blur_along(images: Planes, weights: Tensor, axis: int) -> Planes:
    radius, length = len(weights) // 2, images.shape[axis]
    indices = torch.arange(-radius, length + radius, device=images.device) % (2 * length)
    padded = images.index_select(axis, torch.minimum(indices, 2 * length - 1 - indices))
    terms = (weight * padded.narrow(axis, start, length) for start, weight in enumerate(weights))
    return sum(terms, torch.zeros_like(images))


@dataclass(frozen=True)
class RandomTransforms:
    """Random transformations of a batch of images, drawn anew at each call.

    Attributes:
        crop: smallest and largest side of the crop, as a share of the image's side; above 1 the crop shows the
            mirrored surroundings as well.
        degrees: largest rotation, either way.
        shift: largest shift as a share of the image's side, either way, beyond the shift that `crop` leaves free.
        noise: standard deviation of additive Gaussian noise.
        resize: smallest and largest output size, as a share of the size asked for. A smaller one costs less by its
            square; only networks with global pooling take it.
    """

    crop: tuple[float, float] = (1.0, 1.0)
    degrees: float = 0.0
    shift: float = 0.0
    noise: float = 0.0
    resize: tuple[float, float] = (1.0, 1.0)

    def __call__(self, images: Images, size: tuple[int, int], generator: Generator) -> TransformedImages:
        """The transformed images; borders are mirrored, pixels interpolated bilinearly.

        Returns:
            (N, 3, high, wide): `size` times a share within `resize`, in multiples of `STRIDE`.
        """
        across, down, turn, share, shrink = torch.rand(5, generator=generator).tolist()
        if self.resize != (1.0, 1.0):
            shrink = self.resize[0] + shrink * (self.resize[1] - self.resize[0])
            size = (_round_to_stride(shrink * size[0], size[0]), _round_to_stride(shrink * size[1], size[1]))
        crop = self.crop[0] + share * (self.crop[1] - self.crop[0])
        free = max(0.0, 1 - crop) + 2 * self.shift  # grids count in [-1, 1], so a side is 2 long
        angle = math.radians(self.degrees) * (2 * turn - 1)
        height, width = images.shape[2:]
        cos, sin, aspect = crop * math.cos(angle), crop * math.sin(angle), height / width
        affine = [[cos, -sin * aspect, free * (2 * across - 1)], [sin / aspect, cos, free * (2 * down - 1)]]
        grid = F.affine_grid(torch.tensor([affine], device=images.device), [1, 3, *size], align_corners=False)
        grid = grid.expand(len(images), -1, -1, -1)
        transformed = F.grid_sample(images, grid, padding_mode="reflection", align_corners=False)
        if self.noise:
            transformed = transformed + self.noise * torch.randn(1, 3, *size, generator=generator).to(images.device)
        return transformed


def _round_to_stride(side: float, most: int) -> int:
    """The nearest side that strides and kernels divide well."""
    return min(most, max(1, round(side / STRIDE)) * STRIDE)
