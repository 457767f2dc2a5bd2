"""Parametrisations of an image: Fourier coefficients, or their phases alone.

Sources: Fourier basis and decorrelated colour, Olah et al., 2017, https://distill.pub/2017/feature-visualization;
phases only, Fel et al., 2023, https://arxiv.org/abs/2306.06805.
"""

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Generator, Tensor

from vitrail.tensors import Images
from vitrail.visualisation.colours import Planes, correlate_colours, decorrelate_colours
from vitrail.visualisation.spectrum import Spectrum


@runtime_checkable
class Parametrisation(Protocol):
    """Parameters, and the images that they stand for."""

    @property
    def parameters(self) -> Tensor:
        """(N, ...), a leaf that requires gradients; row i belongs to image i."""

    def image(self) -> Images:
        """(N, 3, H, W) in [0, 1], with a graph back to `parameters`."""


@dataclass(frozen=True)
class Fourier:
    """Fourier coefficients, each scaled by its wavelength, in decorrelated colours.

    Attributes:
        parameters: (N, 3, H, W // 2 + 1, 2), real and imaginary parts.
        scale: (H, W // 2 + 1).
        width: of the image; an even and the next odd width have equally many frequencies.
    """

    parameters: Float[Tensor, "batch 3 height half 2"]
    scale: Float[Tensor, "height half"]
    width: int

    def image(self) -> Images:
        """See `Parametrisation`."""
        waves = torch.view_as_complex(self.parameters) * self.scale
        return torch.sigmoid(correlate_colours(_planes(waves, self.width)))


@dataclass(frozen=True)
class Maco:
    """Phases of the Fourier coefficients; the magnitude of every frequency is constant.

    Attributes:
        parameters: (N, 3, H, W // 2 + 1), radians.
        magnitude: (3, H, W // 2 + 1).
        width: of the image.
    """

    parameters: Float[Tensor, "batch 3 height half"]
    magnitude: Float[Tensor, "3 height half"]
    width: int

    def to(self, device: str) -> "Maco":
        """A copy on another device, its phases a new leaf."""
        return Maco(self.parameters.detach().to(device).requires_grad_(), self.magnitude.to(device), self.width)

    def planes(self) -> Planes:
        """(N, 3, H, W) in decorrelated colours; the magnitudes of their `rfft2` are `magnitude`."""
        waves = torch.polar(self.magnitude.expand_as(self.parameters), _make_odd(self.parameters, self.width))
        return _planes(waves, self.width)

    def image(self) -> Images:
        """See `Parametrisation`; before the sigmoid each plane has mean 0 and the given variance."""
        return torch.sigmoid(correlate_colours(self.planes()))


def fourier(start: Images) -> Fourier:
    """The Fourier coefficients of images (N, 3, H, W) in [0, 1], of any size.

    See Olah et al., 2017, https://distill.pub/2017/feature-visualization.
    """
    height, width = start.shape[2:]
    scale = _wavelengths(height, width).to(start.device)
    waves = torch.fft.rfft2(decorrelate_colours(_inverse_sigmoid(start)), norm="ortho") / scale
    return Fourier(torch.view_as_real(waves).contiguous().requires_grad_(), scale, width)


def maco(count: int, size: tuple[int, int], spectrum: Spectrum, generator: Generator) -> Maco:
    """Random phases, the same for each of `count` images, (H, W) = `size`, with the magnitudes of `spectrum`.

    The standard deviation of the three planes together is 1, that of an image with good contrast. See Fel et al.,
    2023, https://arxiv.org/abs/2306.06805.
    """
    height, width = size
    magnitude = spectrum.at(height, width)
    phases = 2 * torch.pi * torch.rand(1, 3, height, width // 2 + 1, generator=generator)
    spread = _planes(torch.polar(magnitude[None], _make_odd(phases, width)), width).std()
    return Maco(phases.repeat(count, 1, 1, 1).requires_grad_(), magnitude / spread, width)


def _planes(waves: Tensor, width: int) -> Tensor:
    planes: Tensor = torch.fft.irfft2(waves, s=(waves.shape[2], width), norm="ortho")
    return planes


def _inverse_sigmoid(images: Tensor) -> Tensor:
    """Values whose sigmoid is the images; clamped, as those of black and white are infinite."""
    return images.clamp(0.01, 0.99).logit()


def _wavelengths(height: int, width: int) -> Tensor:
    """1 / frequency, (H, W // 2 + 1): the weights that give all frequencies of natural images equal magnitudes."""
    down, across = torch.fft.fftfreq(height)[:, None], torch.fft.rfftfreq(width)[None]
    frequency: Tensor = (down**2 + across**2).sqrt()
    return frequency.clamp_min(1 / max(height, width)).reciprocal()


def _make_odd(phases: Tensor, width: int) -> Tensor:
    """Phases made odd: those of opposite frequencies are opposite, as in every real image.

    `rfft2` leaves out one of each such pair, except in the columns of horizontal frequency zero and Nyquist: there it
    holds both, and `irfft2` would silently change the magnitudes if they disagreed.
    """
    columns = [0] if width % 2 else [0, phases.shape[-1] - 1]
    edge = phases[..., columns]
    opposite = edge.flip(2).roll(1, 2)
    odd = phases.clone()
    odd[..., columns] = edge - opposite
    return odd
