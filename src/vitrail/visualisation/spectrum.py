"""How strong each frequency is in natural images: what MACO keeps while it moves the phases.

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
from vitrail.visualisation.colours import decorrelated

RADII, ANGLES = 24, 7
LOWEST, HIGHEST = 1 / 256, 0.5**0.5  # cycles per pixel, the middle of the first and of the last ring
SAMPLE = 256  # pixels, side of the windows that images are measured in


@dataclass(frozen=True)
class Spectrum:
    """Logarithm of the mean magnitude, by colour, frequency and direction; of images of any size.

    Attributes:
        table: (3, RADII, ANGLES): rings from `LOWEST` to `HIGHEST` in equal ratios, directions from across (0) to
            down (90 degrees) in equal steps. Left and right are taken for equal, as a mirrored image is natural too.
    """

    table: Float[Tensor, "3 radii angles"]

    def at(self, height: int, width: int) -> Float[Tensor, "3 height half"]:
        """Magnitudes as `rfft2` orders them; none for the mean, and 1 on average over the pixels' variance."""
        ring, angle = _places(height, width)
        grid = torch.stack((2 * angle / (ANGLES - 1) - 1, 2 * ring / (RADII - 1) - 1), dim=-1)
        logs = F.grid_sample(self.table[None], grid[None], padding_mode="border", align_corners=True)[0]
        magnitude = logs.exp()
        magnitude[:, 0, 0] = 0
        return magnitude


def spectrum_of(images: Iterable[Images]) -> Spectrum:
    """The spectrum of images, given in batches; each is resized so that its short side is `SAMPLE` pixels.

    Raises:
        BadSetting: there is no image.
    """
    total, count = torch.zeros(3, SAMPLE, SAMPLE // 2 + 1), 0
    for batch in images:
        for window in _windows(batch):
            total += torch.fft.rfft2(_faded(decorrelated(window))).abs().mean(dim=0)
            count += 1
    if not count:
        raise BadSetting("A spectrum needs at least one image; got none.")
    return Spectrum(_tabled(total / count))


@cache
def natural_spectrum() -> Spectrum:
    """The packaged one, made by `scripts/natural_spectrum.py` from free photographs."""
    text = files(__package__).joinpath("spectrum.txt").read_text(encoding="utf-8")
    values = [float(value) for line in text.splitlines() if not line.startswith("#") for value in line.split()]
    return Spectrum(torch.tensor(values).reshape(3, RADII, ANGLES))


def _windows(batch: Images) -> Iterable[Images]:
    """Squares from the long side's beginning to its end, half overlapping."""
    scale = SAMPLE / min(batch.shape[2:])
    size = [max(SAMPLE, round(side * scale)) for side in batch.shape[2:]]
    resized = F.interpolate(batch, size=size, mode="bilinear", antialias=True)
    for top in range(0, size[0] - SAMPLE + 1, SAMPLE // 2):
        for left in range(0, size[1] - SAMPLE + 1, SAMPLE // 2):
            yield resized[:, :, top : top + SAMPLE, left : left + SAMPLE]


def _faded(images: Images) -> Images:
    """Less their mean and faded out to the borders, whose jump would else look like a cross of high frequencies."""
    window = torch.hann_window(SAMPLE, periodic=False)
    return (images - images.mean(dim=(2, 3), keepdim=True)) * window[:, None] * window


def _tabled(magnitude: Tensor) -> Tensor:
    """Mean log magnitude around each ring and direction, weighed by nearness; neighbours fill what is empty."""
    ring, angle = _places(SAMPLE, SAMPLE)
    logs = magnitude.clamp_min(1e-12).log()
    near_ring = torch.exp(-0.5 * (torch.arange(RADII)[:, None, None] - ring) ** 2)
    near_angle = torch.exp(-0.5 * (torch.arange(ANGLES)[:, None, None] - angle) ** 2)
    near_ring[:, 0, 0] = 0  # the mean is no frequency
    sums = torch.einsum("rhw,ahw,chw->cra", near_ring, near_angle, logs)
    return sums / torch.einsum("rhw,ahw->ra", near_ring, near_angle).clamp_min(1e-12)


def _places(height: int, width: int) -> tuple[Tensor, Tensor]:
    """Ring and direction of every frequency of `rfft2`, counted as in the table, (H, W // 2 + 1) each."""
    down, across = torch.fft.fftfreq(height)[:, None].abs(), torch.fft.rfftfreq(width)[None]
    radius = (down**2 + across**2).sqrt().clamp_min(LOWEST)
    ring = (radius / LOWEST).log() / torch.tensor(HIGHEST / LOWEST).log() * (RADII - 1)
    return ring, torch.atan2(down.expand_as(radius), across.expand_as(radius)) / (torch.pi / 2) * (ANGLES - 1)
