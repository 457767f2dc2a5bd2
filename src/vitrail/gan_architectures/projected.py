"""Projected GAN: a discriminator that sees images through a frozen pretrained network, and a light generator.

Sauer et al., 2021, https://arxiv.org/abs/2111.01007: the features of four resolutions are mixed by fixed random
convolutions, across channels and from coarse to fine, and each resolution has a small trained head of its own. The
generator follows FastGAN (Liu et al., 2021, https://arxiv.org/abs/2101.04775): coarse feature maps scale the channels
of the fine ones (skip-layer excitation). Labels change gain and bias after each batch normalisation (Dumoulin et al.,
2017, https://arxiv.org/abs/1610.07629) and condition the heads by projection (Miyato and Koyama, 2018,
https://arxiv.org/abs/1802.05637).

As the features already tell what an image shows, a few thousand steps are enough. Measure such a pair in the features
of another network than its own.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from vitrail.gan_architectures.frozen_features import FrozenFeatures
from vitrail.gan_architectures.pair import (
    Discriminator,
    GanPair,
    Generator,
    Latents,
    condition,
    init_weights,
    num_downsamplings,
)
from vitrail.tensors import Condition, Scores, SignedImages

WIDEST = 16  # channels of the coarsest feature maps, in multiples of those of the finest
SKIP = 16  # a feature map excites the one that has so many times its side
HEAD_WIDTH = 64  # channels of a head
SLOPE = 0.2  # of the leaky ReLU


class SkipLayerExcitation(nn.Module):
    """Scales the channels of fine feature maps by what the coarse ones show: a gate in (0, 1) for each channel."""

    def __init__(self, coarse: int, fine: int) -> None:
        super().__init__()
        self.gate = nn.Sequential(
            nn.AdaptiveAvgPool2d(4), nn.Conv2d(coarse, fine, 4), nn.SiLU(inplace=True), nn.Conv2d(fine, fine, 1),
            nn.Sigmoid(),
        )  # fmt: skip

    def forward(self, coarse: Tensor, fine: Tensor) -> Tensor:
        """Fine feature maps (N, C, H, W), scaled."""
        scaled: Tensor = fine * self.gate(coarse)
        return scaled


class Upsampling(nn.Module):
    """A transposed convolution, batch normalisation, and one half of the channels as gates of the other (GLU).

    Labels come after the normalisation, as a gain and a bias of each channel. Concatenated with the latents they would
    give the variance that it asks for, and the latents be ignored: every sample of a class alike, within 50 steps.
    """

    def __init__(self, before: int, wide: int, classes: int, *, stride: int = 2, padding: int = 1) -> None:
        super().__init__()
        self.layer = nn.ConvTranspose2d(before, 2 * wide, 4, stride, padding, bias=False)
        self.norm = nn.BatchNorm2d(2 * wide)
        self.gain = nn.Linear(classes, 2 * wide, bias=False) if classes else None
        self.bias = nn.Linear(classes, 2 * wide, bias=False) if classes else None

    def forward(self, maps: Tensor, labels: Tensor | None) -> Tensor:
        """Feature maps (N, wide, H, W) of maps (N, before, h, w) and labels (N, classes)."""
        maps = self.norm(self.layer(maps))
        if self.gain is not None and self.bias is not None:
            gain, bias = (layer(labels)[:, :, None, None] for layer in (self.gain, self.bias))
            maps = torch.addcmul(bias, maps, 1 + gain)
        return F.glu(maps, dim=1)


class ProjectedGenerator(Generator):
    """From 4x4 to the image by `Upsampling`, with skip-layer excitation."""

    def __init__(self, *, size: int, channels: int, latent_size: int, classes: int, width: int) -> None:
        super().__init__(latent_size, classes)
        num_downsamplings(size, smallest=16, most=4)
        wide = {side: min(WIDEST, size // side) * width for side in _powers(4, size)}
        self.start = Upsampling(latent_size, wide[4], classes, stride=1, padding=0)
        self.blocks = nn.ModuleList(Upsampling(wide[side // 2], wide[side], classes) for side in _powers(8, size))
        self.excitations = nn.ModuleDict(
            {str(side): SkipLayerExcitation(wide[side // SKIP], wide[side]) for side in _powers(4 * SKIP, size)}
        )
        self.pixels = nn.Conv2d(width, channels, 3, padding=1)
        init_weights(self)

    def forward(self, latents: Latents, labels: Condition) -> SignedImages:
        """See `Generator`."""
        vectors = condition(labels, self.classes, latents) if self.classes else None
        maps = {4: self.start(latents[:, :, None, None], vectors)}
        for power, block in enumerate(self.blocks):
            side = 8 << power
            maps[side] = block(maps[side // 2], vectors)
            if str(side) in self.excitations:
                maps[side] = self.excitations[str(side)](maps[side // SKIP], maps[side])
        return torch.tanh(self.pixels(maps[side]))


class Head(nn.Module):
    """Scores one resolution of the frozen features: strided convolutions to 4x4 or less, and a linear layer.

    Every layer is divided by its largest singular value (Miyato et al., 2018, https://arxiv.org/abs/1802.05957).
    """

    def __init__(self, channels: int, side: int, classes: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        while side > 4:
            layers += [spectral_norm(nn.Conv2d(channels, HEAD_WIDTH, 4, stride=2, padding=1)), nn.LeakyReLU(SLOPE)]
            channels, side = HEAD_WIDTH, side // 2
        layers += [spectral_norm(nn.Conv2d(channels, HEAD_WIDTH, side)), nn.LeakyReLU(SLOPE), nn.Flatten()]
        self.layers = nn.Sequential(*layers)
        self.score = spectral_norm(nn.Linear(HEAD_WIDTH, 1))
        self.embedding = spectral_norm(nn.Linear(classes, HEAD_WIDTH, bias=False)) if classes else None

    def forward(self, maps: Tensor, labels: Tensor | None) -> Tensor:
        """Scores (N,) of feature maps (N, C, S, S) and labels (N, classes)."""
        features = self.layers(maps)
        scores: Tensor = self.score(features)[:, 0]
        if self.embedding is not None:
            scores = scores + (features * self.embedding(labels)).sum(dim=1)
        return scores


class ProjectedDiscriminator(Discriminator):
    """Frozen features and a head for each of their resolutions; only the heads are trained."""

    def __init__(self, *, size: int, classes: int, backbone: str) -> None:
        super().__init__(classes)
        self.features = FrozenFeatures(backbone, size)
        self.heads = nn.ModuleList(Head(maps, side, classes) for maps, side in self.features.shapes)

    def forward(self, images: SignedImages, labels: Condition) -> Scores:
        """Scores (N, heads), see `Discriminator`."""
        maps = self.features(images)
        vectors = condition(labels, self.classes, images) if self.classes else None
        return torch.stack([head(each, vectors) for head, each in zip(self.heads, maps, strict=True)], dim=1)


def projected(
    *,
    size: int = 64,
    channels: int = 3,
    latent_size: int = 100,
    generator_classes: int = 0,
    discriminator_classes: int = 0,
    width: int = 16,
    backbone: str = "efficientnet-lite0",
) -> GanPair:
    """Projected GAN for images of 32, 64, 128 or 256 pixels, conditional or not.

    Args:
        width: channels of the generator's layer next to the image.
        backbone: the frozen network of the discriminator; it is loaded when the discriminator is asked for.
    Raises:
        BadSetting: another size.
        UnknownName, MissingWeights: as `FrozenFeatures`, when the discriminator is asked for.
    """
    generator = ProjectedGenerator(
        size=size, channels=channels, latent_size=latent_size, classes=generator_classes, width=width
    )
    return GanPair(
        generator, lambda: ProjectedDiscriminator(size=size, classes=discriminator_classes, backbone=backbone)
    )


def _powers(first: int, last: int) -> list[int]:
    """`first`, twice that and so on, up to `last`."""
    return [first << power for power in range((last // first).bit_length())]
