"""What is changed when an image is made: its pixels, its frequencies, or the phases of its frequencies.

Sources: Fourier basis and decorrelated colour, Olah et al., 2017, https://distill.pub/2017/feature-visualization;
phases only, Fel et al., 2023, https://arxiv.org/abs/2306.06805.
"""

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Generator, Tensor

from vitrail.tensors import Images
from vitrail.visualisation.colours import Planes, correlated, decorrelated
from vitrail.visualisation.spectrum import Spectrum


@runtime_checkable
class Parametrisation(Protocol):
    """Numbers that stand for images, and the images that they stand for."""

    @property
    def parameters(self) -> Tensor:
        """(N, ...), a leaf that asks for gradients; row i belongs to image i."""

    def image(self) -> Images:
        """(N, 3, H, W) in [0, 1], with a graph back to `parameters`."""


@dataclass(frozen=True)
class Pixels:
    """Every pixel for itself, through a sigmoid that keeps it in [0, 1]."""

    parameters: Planes

    def image(self) -> Images:
        """See `Parametrisation`."""
        return torch.sigmoid(self.parameters)


@dataclass(frozen=True)
class Fourier:
    """Frequencies, each scaled by its wavelength, in colours that are independent of each other.

    Attributes:
        parameters: (N, 3, H, W // 2 + 1, 2), real and imaginary parts.
        scale: (H, W // 2 + 1).
        width: of the image; the frequencies do not tell an odd one from an even one.
    """

    parameters: Float[Tensor, "batch 3 height half 2"]
    scale: Float[Tensor, "height half"]
    width: int

    def image(self) -> Images:
        """See `Parametrisation`."""
        waves = torch.view_as_complex(self.parameters) * self.scale
        return torch.sigmoid(correlated(_planes(waves, self.width)))


@dataclass(frozen=True)
class Maco:
    """Phases alone; the magnitude of every frequency stays as given.

    Attributes:
        parameters: (N, 3, H, W // 2 + 1), radians.
        magnitude: (3, H, W // 2 + 1).
        width: of the image.
    """

    parameters: Float[Tensor, "batch 3 height half"]
    magnitude: Float[Tensor, "3 height half"]
    width: int

    def to(self, device: str) -> "Maco":
        """The same on another device, its phases a new leaf."""
        return Maco(self.parameters.detach().to(device).requires_grad_(), self.magnitude.to(device), self.width)

    def planes(self) -> Planes:
        """(N, 3, H, W) before colours are mixed; the magnitudes of their `rfft2` are `magnitude`."""
        waves = torch.polar(self.magnitude.expand_as(self.parameters), _odd(self.parameters, self.width))
        return _planes(waves, self.width)

    def image(self) -> Images:
        """See `Parametrisation`; before the sigmoid each plane has mean 0 and the given variance."""
        return torch.sigmoid(correlated(self.planes()))


def pixels(start: Images) -> Pixels:
    """Starts from images, whose pixels are drawn a little away from black and white."""
    return Pixels(_raw(start).requires_grad_())


def fourier(start: Images) -> Fourier:
    """Starts from images in [0, 1]; odd and non-square sizes work."""
    height, width = start.shape[2:]
    scale = _wavelengths(height, width).to(start.device)
    waves = torch.fft.rfft2(decorrelated(_raw(start)), norm="ortho") / scale
    return Fourier(torch.view_as_real(waves).contiguous().requires_grad_(), scale, width)


def maco(count: int, size: tuple[int, int], spectrum: Spectrum, generator: Generator) -> Maco:
    """Starts from random phases, the same for each of `count` images, (H, W) = `size`.

    The planes' standard deviation is 1 for the three together, as of an image with good contrast.
    """
    height, width = size
    magnitude = spectrum.at(height, width)
    phases = 2 * torch.pi * torch.rand(1, 3, height, width // 2 + 1, generator=generator)
    spread = _planes(torch.polar(magnitude[None], _odd(phases, width)), width).std()
    return Maco(phases.repeat(count, 1, 1, 1).requires_grad_(), magnitude / spread, width)


def _planes(waves: Tensor, width: int) -> Tensor:
    planes: Tensor = torch.fft.irfft2(waves, s=(waves.shape[2], width), norm="ortho")
    return planes


def _raw(images: Tensor) -> Tensor:
    """What a sigmoid turns into the images; black and white would lie infinitely far away."""
    return images.clamp(0.01, 0.99).logit()


def _wavelengths(height: int, width: int) -> Tensor:
    """Weights (H, W // 2 + 1) that give all frequencies of natural images equal shares: 1 / frequency."""
    down, across = torch.fft.fftfreq(height)[:, None], torch.fft.rfftfreq(width)[None]
    frequency: Tensor = (down**2 + across**2).sqrt()
    return frequency.clamp_min(1 / max(height, width)).reciprocal()


def _odd(phases: Tensor, width: int) -> Tensor:
    """Phases with those of opposite frequencies opposite, as in every real image.

    `rfft2` leaves one of each such pair out, but for the frequencies that do not run across, or run as fast as pixels
    can: there both are kept, and `irfft2` would silently change the magnitudes if they disagreed.
    """
    columns = [0] if width % 2 else [0, phases.shape[-1] - 1]
    edge = phases[..., columns]
    opposite = edge.flip(2).roll(1, 2)
    odd = phases.clone()
    odd[..., columns] = edge - opposite
    return odd
