"""The frozen part of a projected discriminator: a pretrained network, and fixed random mixing of its features."""

import math
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vitrail.backbones import BACKBONES
from vitrail.backbones.backbone import Backbone
from vitrail.backbones.forward_pass import optimised_copy
from vitrail.backbones.sources import packaged_instead
from vitrail.errors import BadSetting, MissingWeights
from vitrail.images import from_signed_range, to_rgb
from vitrail.tensors import SignedImages

MIXED = 64  # channels of each resolution, mixed
RESOLUTIONS = 4
SMALLEST_SIDE = 64  # pixels; smaller images are enlarged, whose coarsest features would be a single pixel
CALIBRATED_ON = 16  # images


class FrozenFeatures(nn.Module):
    """Images to feature maps of four resolutions, each mixed across channels and with the coarser ones.

    Sauer et al., 2021, section 3.2. Nothing here is a parameter: an optimiser sees no weights, and a state holds the
    random mixing alone, as the network's weights are those of its file. Every resolution is scaled to unit deviation,
    without which the heads' scores depend on the network, and the discriminator wins at once.

    Args:
        name: a backbone.
        size: side of the images in pixels.
    Attributes:
        shapes: channels and side of each resolution, fine to coarse.
        weights_sha256: of the network.
    Raises:
        UnknownName, MissingWeights, BadWeights: as `BACKBONES`.
        BadSetting: the network has no feature maps of several resolutions at this size.
    """

    def __init__(self, name: str, size: int) -> None:
        super().__init__()
        try:
            backbone = BACKBONES[name](None)
        except MissingWeights as error:
            raise packaged_instead(error) from None
        self.weights_sha256 = backbone.weights_sha256
        self.backbone = optimised_copy(backbone)
        self.side = max(size, SMALLEST_SIDE)
        images = natural_noise(CALIBRATED_ON, size)
        self.layers = _layers(self.backbone, self._resized(images[:1]))
        _freeze(self.backbone)
        maps = self._maps(images)
        coarser = [MIXED, *([MIXED] * len(maps))]
        for number, each in enumerate(maps):
            across = torch.randn(MIXED, each.shape[1], 1, 1)
            self.register_buffer(f"across_channels_{number}", across / F.conv2d(each, across).std())
            scales = torch.randn(MIXED, coarser[number], 3, 3) / math.sqrt(9 * MIXED)
            self.register_buffer(f"across_scales_{number}", scales)
        self.register_buffer("scales", torch.ones(len(maps)))
        mixed = self._mixed(maps)
        self.scales = torch.stack([1 / each.std() for each in mixed])
        self.shapes = [(each.shape[1], each.shape[2]) for each in mixed]

    def _apply(self, change: Callable[..., Any], recurse: bool = True) -> "FrozenFeatures":
        """What `to` does; on a CPU the network stays channels-last, which takes two thirds of the time."""
        super()._apply(change, recurse)  # type: ignore[no-untyped-call]
        if self.scales.device.type == "cpu":
            self.backbone.to(memory_format=torch.channels_last)
        return self

    def train(self, mode: bool = True) -> "FrozenFeatures":
        """Stays in evaluation mode."""
        return super().train(False)

    def forward(self, images: SignedImages) -> list[Tensor]:
        """Feature maps (N, 64, S, S) of images (N, C, H, W), fine to coarse."""
        return self._mixed(self._maps(images))

    def _maps(self, images: Tensor) -> list[Tensor]:
        found = self.backbone.activations(self._resized(images), self.layers)
        return [found[layer] for layer in self.layers]

    def _resized(self, images: Tensor) -> Tensor:
        if images.shape[-1] != self.side:
            images = F.interpolate(images, size=(self.side, self.side), mode="bilinear", align_corners=False)
        return to_rgb(from_signed_range(images))

    def _mixed(self, maps: list[Tensor]) -> list[Tensor]:
        mixed: list[Tensor] = []
        for number in reversed(range(len(maps))):
            each = F.conv2d(maps[number], getattr(self, f"across_channels_{number}"))
            if mixed:
                coarse = F.conv2d(mixed[0], getattr(self, f"across_scales_{number}"), padding=1)
                each = each + F.interpolate(coarse, size=each.shape[2:], mode="bilinear", align_corners=False)
            mixed.insert(0, each)
        return [each * scale for each, scale in zip(mixed, self.scales, strict=True)]


@torch.no_grad()
def natural_noise(count: int, size: int) -> SignedImages:
    """Random colour images with the spectrum of photographs, amplitudes falling with the frequency, (N, 3, S, S).

    Field, 1987, https://doi.org/10.1364/JOSAA.4.002379. Always the same.
    """
    draws = torch.Generator().manual_seed(0)
    white = torch.randn(count, 4, size, size, generator=draws)
    colour = 0.9 * white[:, :1] + 0.4 * white[:, 1:]  # channels of photographs are much alike
    frequencies = torch.fft.fftfreq(size)
    radii = (frequencies[:, None].square() + frequencies.square()).sqrt().clamp_min(1 / size)
    images = torch.fft.ifft2(torch.fft.fft2(colour) / radii).real
    scaled: Tensor = images / (2 * images.std(dim=(1, 2, 3), keepdim=True))
    return scaled.clamp(-1, 1)


@torch.no_grad()
def _layers(backbone: Backbone, image: Tensor) -> tuple[str, ...]:
    """The last layer of each of the four coarsest resolutions, fine to coarse; a block rather than a part of it.

    Raises:
        BadSetting: the network has fewer than two.
    """
    found: dict[int, str] = {}
    for layer, output in backbone.activations(image, backbone.layers).items():
        if output.ndim == 4 and output.shape[2] == output.shape[3] > 1:
            side, depth = output.shape[2], layer.count(".")
            if side not in found or depth <= found[side].count("."):
                found[side] = layer
    if len(found) < 2:
        raise BadSetting(
            f"{backbone.name!r} has no feature maps of several resolutions for images of {image.shape[-1]} pixels. "
            "Use efficientnet-lite0."
        )
    return tuple(found[side] for side in sorted(found, reverse=True)[-RESOLUTIONS:])


def _freeze(network: nn.Module) -> None:
    """Turns parameters into buffers that belong to no state: nothing updates, counts or stores them."""
    for module in network.modules():
        for name, weight in list(module.named_parameters(recurse=False)):
            delattr(module, name)
            module.register_buffer(name, weight.detach(), persistent=False)
        module._non_persistent_buffers_set.update(module._buffers)
