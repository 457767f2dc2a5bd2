"""Projected GAN: a discriminator that sees images through a frozen pretrained network, and a light generator.

Sauer et al., 2021, https://arxiv.org/abs/2111.01007: the features of four resolutions are mixed by fixed random
convolutions, across channels and from coarse to fine, and each resolution has a small trained head of its own. The
generator follows FastGAN (Liu et al., 2021, https://arxiv.org/abs/2101.04775): coarse feature maps scale the channels
of the fine ones (skip-layer excitation). Where there are labels, an embedding of them is concatenated with the latents,
and the heads are conditioned by projection (Miyato and Koyama, 2018, https://arxiv.org/abs/1802.05637).

As the features already tell what an image shows, a few thousand steps are enough. Measure such a pair in the features
of another network than its own.
"""

from functools import partial

import torch
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

EMBEDDING = 128  # numbers that stand for a label beside the latents
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


class ProjectedGenerator(Generator):
    """Transposed convolutions with gated linear units (GLU) from 4x4 to the image, with skip-layer excitation."""

    def __init__(self, *, size: int, channels: int, latent_size: int, classes: int, width: int) -> None:
        super().__init__(latent_size, classes)
        num_downsamplings(size, smallest=16, most=4)
        self.embedding = nn.Linear(classes, EMBEDDING, bias=False) if classes else None
        wide = {side: min(WIDEST, size // side) * width for side in _powers(4, size)}
        inputs = latent_size + (EMBEDDING if classes else 0)
        self.start = _glu(nn.ConvTranspose2d(inputs, 2 * wide[4], 4, bias=False), wide[4])
        upsample = partial(nn.ConvTranspose2d, kernel_size=4, stride=2, padding=1, bias=False)
        self.blocks = nn.ModuleList(
            _glu(upsample(wide[side // 2], 2 * wide[side]), wide[side]) for side in _powers(8, size)
        )
        self.excitations = nn.ModuleDict(
            {str(side): SkipLayerExcitation(wide[side // SKIP], wide[side]) for side in _powers(4 * SKIP, size)}
        )
        self.pixels = nn.Conv2d(width, channels, 3, padding=1)
        init_weights(self)
        if self.embedding is not None:
            nn.init.normal_(self.embedding.weight)  # labels weigh as much as latents

    def forward(self, latents: Latents, labels: Condition) -> SignedImages:
        """See `Generator`."""
        inputs = latents
        if self.embedding is not None:
            inputs = torch.cat([latents, self.embedding(condition(labels, self.classes, latents))], dim=1)
        maps = {4: self.start(inputs[:, :, None, None])}
        for power, block in enumerate(self.blocks):
            side = 8 << power
            maps[side] = block(maps[side // 2])
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


def _glu(layer: nn.Module, wide: int) -> nn.Sequential:
    """A layer with twice the channels, batch normalisation, and one half of the channels as gates of the other."""
    return nn.Sequential(layer, nn.BatchNorm2d(2 * wide), nn.GLU(dim=1))


def _powers(first: int, last: int) -> list[int]:
    """`first`, twice that and so on, up to `last`."""
    return [first << power for power in range((last // first).bit_length())]
