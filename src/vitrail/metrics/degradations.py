"""Real images made worse in known ways, in five levels each: what a metric of generated images has to see.

The strength of blur and pixelation is a share of the side, so that a level looks alike at every size.
"""

import io
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import UInt8
from PIL import Image
from torch import Tensor

from vitrail.decoding import decode
from vitrail.images import to_bytes, to_unit

AnyPixels = UInt8[Tensor, "batch channels height width"]
SEED = 0


@dataclass(frozen=True)
class Degradation:
    """One way to make square images worse.

    Attributes:
        levels: five strengths, the weakest first.
        apply: 8-bit images (N, C, S, S) and a strength to as many images.
        unit: strength in words, e.g. "blurred with σ = {:.2g} px"; shares of the side are multiplied by the side.
        of_side: whether the levels are shares of the side.
    """

    levels: tuple[float, ...]
    apply: Callable[[AnyPixels, float], AnyPixels]
    unit: str
    of_side: bool = False

    def strengths(self, size: int) -> list[float]:
        """The levels for images of `size` pixels a side."""
        return [level * size if self.of_side else level for level in self.levels]

    def describe(self, strength: float) -> str:
        """A strength in words, to follow "real images"."""
        return self.unit.format(strength)


def blur(pixels: AnyPixels, sigma: float) -> AnyPixels:
    """Images blurred by a Gaussian with a standard deviation of `sigma` pixels; borders are mirrored."""
    reach = min(int(4 * sigma) + 1, pixels.shape[-1] - 1)
    weights = torch.exp(-(torch.arange(-reach, reach + 1).float() ** 2) / (2 * sigma**2))
    weights = (weights / weights.sum()).expand(pixels.shape[1], 1, -1)
    padded = F.pad(to_unit(pixels), (reach,) * 4, mode="reflect")
    across = F.conv2d(padded, weights[:, :, None], groups=len(weights))
    return to_bytes(F.conv2d(across, weights[:, :, :, None], groups=len(weights)))


def add_noise(pixels: AnyPixels, sigma: float) -> AnyPixels:
    """Normal noise with a standard deviation of `sigma`, of 255, in each channel of each pixel; always the same."""
    draws = torch.Generator().manual_seed(SEED)
    return _clipped(pixels + sigma * torch.randn(pixels.shape, generator=draws))


def compress(pixels: AnyPixels, quality: float) -> AnyPixels:
    """Images stored as JPEG of a quality from 1 to 95, and read again."""
    return torch.stack([_stored(image, round(quality)) for image in pixels])


def shift_colour(pixels: AnyPixels, amount: float) -> AnyPixels:
    """`amount`, of 255, added to red and taken from blue; added to grey."""
    amounts = torch.tensor([amount, 0.0, -amount] if pixels.shape[1] == 3 else [amount])
    return _clipped(pixels + amounts[:, None, None])


def pixelate(pixels: AnyPixels, side: float) -> AnyPixels:
    """Squares of one colour, the mean of what they cover; `side` of them, rounded, across."""
    across = max(1, round(side))
    small = F.interpolate(pixels.float(), size=(across, across), mode="area")
    return _clipped(F.interpolate(small, size=pixels.shape[-2:], mode="nearest"))


DEGRADATIONS = {
    "blur": Degradation((0.01, 0.02, 0.03, 0.045, 0.065), blur, "blurred with σ = {:.2g} px", of_side=True),
    "noise": Degradation((5, 15, 40, 100, 250), add_noise, "with noise of σ = {:.2g} of 255"),
    "jpeg": Degradation((50, 25, 12, 6, 3), compress, "as JPEG of quality {:.0f}"),
    "colour-shift": Degradation((8, 16, 32, 48, 64), shift_colour, "shifted in colour by {:.0f} of 255"),
    "pixelation": Degradation((0.75, 0.5, 0.375, 0.25, 0.1875), pixelate, "in {0:.0f} x {0:.0f} squares", of_side=True),
}
LEVELS = 5


def _clipped(values: Tensor) -> AnyPixels:
    return values.round().clamp(0, 255).to(torch.uint8)


def _stored(pixels: Tensor, quality: int) -> Tensor:
    file = io.BytesIO()
    array = pixels.permute(1, 2, 0).contiguous().numpy()
    Image.fromarray(array.squeeze(-1) if array.shape[-1] == 1 else array).save(file, "JPEG", quality=quality)
    _, image = decode(file.getvalue())
    read = np.asarray(image).reshape(array.shape)
    return torch.from_numpy(read.copy()).permute(2, 0, 1)
