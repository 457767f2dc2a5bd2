"""Magnitude spectrum of natural images, which MACO holds constant while it changes the phases.

Source: Fel et al., "Unlocking Feature Visualization for Deep Networks with MAgnitude Constrained Optimization", 2023,
https://arxiv.org/abs/2306.06805.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from vitrail.errors import BadSetting
from vitrail.tensors import Images
from vitrail.visualisation.colours import decorrelate_colours

RADII, ANGLES = 24, 7
LOWEST, HIGHEST = 1 / 256, 0.5**0.5  # cycles per pixel: centres of the first and of the last ring
SAMPLE = 256  # pixels, side of the square windows in which images are measured


@dataclass(frozen=True)
class Spectrum:
    """Logarithm of the mean magnitude by colour plane, frequency and direction, for images of any size.

    Attributes:
        table: (3, RADII, ANGLES): rings from `LOWEST` to `HIGHEST` in equal ratios, directions from horizontal (0) to
            vertical (90 degrees) in equal steps. Mirrored directions count as one: a mirrored image is natural too.
    """

    table: Float[Tensor, "3 radii angles"]

    def at(self, height: int, width: int) -> Float[Tensor, "3 height half"]:
        """Magnitudes in the order of `rfft2`, (3, H, W // 2 + 1); 0 for the mean."""
        ring, angle = _ring_and_angle(height, width)
        grid = torch.stack((2 * angle / (ANGLES - 1) - 1, 2 * ring / (RADII - 1) - 1), dim=-1)
        logs = F.grid_sample(self.table[None], grid[None], padding_mode="border", align_corners=True)[0]
        magnitude = logs.exp()
        magnitude[:, 0, 0] = 0
        return magnitude


def measure_spectrum(images: Iterable[Images]) -> Spectrum:
    """The mean spectrum of images in [0, 1], given in batches (N, 3, H, W) of any size.

    Each image is resized so that its short side is `SAMPLE` pixels.

    Raises:
        BadSetting: there is no image.
    """
    total, count = torch.zeros(3, SAMPLE, SAMPLE // 2 + 1), 0
    for batch in images:
        for window in _windows(batch):
            total += torch.fft.rfft2(_windowed(decorrelate_colours(window))).abs().mean(dim=0)
            count += 1
    if not count:
        raise BadSetting("A spectrum needs at least one image; got none. Use a folder of images.")
    return Spectrum(_interpolated(total / count))


@cache
def natural_spectrum() -> Spectrum:
    """The packaged spectrum, measured on free photographs by `scripts/natural_spectrum.py`."""
    text = files(__package__).joinpath("spectrum.txt").read_text(encoding="utf-8")
    values = [float(value) for line in text.splitlines() if not line.startswith("#") for value in line.split()]
    return Spectrum(torch.tensor(values).reshape(3, RADII, ANGLES))


def _windows(batch: Images) -> Iterable[Images]:
    """Square windows along the long side, half overlapping."""
    scale = SAMPLE / min(batch.shape[2:])
    size = [max(SAMPLE, round(side * scale)) for side in batch.shape[2:]]
    resized = F.interpolate(batch, size=size, mode="bilinear", antialias=True)
    for top in range(0, size[0] - SAMPLE + 1, SAMPLE // 2):
        for left in range(0, size[1] - SAMPLE + 1, SAMPLE // 2):
            yield resized[:, :, top : top + SAMPLE, left : left + SAMPLE]


def _windowed(images: Images) -> Images:
    """Images minus their mean, times a Hann window: a jump at the border would add a cross of high frequencies."""
    window = torch.hann_window(SAMPLE, periodic=False)
    return (images - images.mean(dim=(2, 3), keepdim=True)) * window[:, None] * window


def _interpolated(magnitude: Tensor) -> Tensor:
    """Mean log magnitude at each ring and direction, with Gaussian weights: empty cells take their neighbours'."""
    ring, angle = _ring_and_angle(SAMPLE, SAMPLE)
    logs = magnitude.clamp_min(1e-12).log()
    near_ring = torch.exp(-0.5 * (torch.arange(RADII)[:, None, None] - ring) ** 2)
    near_angle = torch.exp(-0.5 * (torch.arange(ANGLES)[:, None, None] - angle) ** 2)
    near_ring[:, 0, 0] = 0  # the mean is not a frequency
    sums = torch.einsum("rhw,ahw,chw->cra", near_ring, near_angle, logs)
    return sums / torch.einsum("rhw,ahw->ra", near_ring, near_angle).clamp_min(1e-12)


def _ring_and_angle(height: int, width: int) -> tuple[Tensor, Tensor]:
    """Fractional ring and direction index of every frequency of `rfft2`, (H, W // 2 + 1) each."""
    down, across = torch.fft.fftfreq(height)[:, None].abs(), torch.fft.rfftfreq(width)[None]
    radius = (down**2 + across**2).sqrt().clamp_min(LOWEST)
    ring = (radius / LOWEST).log() / torch.tensor(HIGHEST / LOWEST).log() * (RADII - 1)
    return ring, torch.atan2(down.expand_as(radius), across.expand_as(radius)) / (torch.pi / 2) * (ANGLES - 1)
