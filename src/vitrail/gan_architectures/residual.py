"""Residual GAN without normalisation, for the relativistic loss with R1 and R2.

Source: R3GAN (Huang et al., 2024, https://arxiv.org/abs/2501.05441): blocks of 1x1, grouped 3x3 and 1x1 convolutions
initialised as the identity, bilinear resampling. The discriminator is conditioned by projection: it adds the product of
an embedding and the features to the score (Miyato and Koyama, 2018, https://arxiv.org/abs/1802.05637).
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vitrail.gan_architectures.pair import Discriminator, GanPair, Generator, Latents, condition, num_downsamplings
from vitrail.tensors import Condition, Scores, SignedImages

GROUP = 16  # channels per group of a 3x3 convolution
SLOPE = 0.2  # of the leaky ReLU


class Block(nn.Module):
    """Residual block, initialised as the identity: the last convolution starts at zero."""

    def __init__(self, width: int) -> None:
        super().__init__()
        inner = 2 * width
        self.change = nn.Sequential(
            nn.Conv2d(width, inner, 1),
            nn.LeakyReLU(SLOPE),
            nn.Conv2d(inner, inner, 3, padding=1, groups=max(1, inner // GROUP), bias=False),
            nn.LeakyReLU(SLOPE),
            nn.Conv2d(inner, width, 1, bias=False),
        )
        for layer in self.change[:-1]:
            if isinstance(layer, nn.Conv2d):
                nn.init.kaiming_normal_(layer.weight, SLOPE)
        nn.init.zeros_(self.change[-1].weight)  # type: ignore[arg-type]

    def forward(self, maps: Tensor) -> Tensor:
        """(N, C, H, W) to the same shape."""
        changed: Tensor = maps + self.change(maps)
        return changed


class ResidualGenerator(Generator):
    """A linear layer to 4x4, then two blocks at each resolution."""

    def __init__(self, *, size: int, channels: int, latent_size: int, classes: int, width: int) -> None:
        super().__init__(latent_size, classes)
        self.times, self.width = num_downsamplings(size, smallest=4, most=5), width
        self.start = nn.Linear(latent_size + classes, width * 16)
        self.blocks = nn.ModuleList(nn.Sequential(Block(width), Block(width)) for _ in range(self.times + 1))
        self.pixels = nn.Conv2d(width, channels, 1)

    def forward(self, latents: Latents, labels: Condition) -> SignedImages:
        """See `Generator`."""
        maps = self.start(self.concat_condition(latents, labels)).view(-1, self.width, 4, 4)
        for number, block in enumerate(self.blocks):
            if number:
                maps = F.interpolate(maps, scale_factor=2, mode="bilinear", align_corners=False)
            maps = block(maps)
        return torch.tanh(self.pixels(maps))


class ResidualDiscriminator(Discriminator):
    """Two blocks at each resolution, features from the last 4x4, and a score from them."""

    def __init__(self, *, size: int, channels: int, classes: int, width: int) -> None:
        super().__init__(classes)
        times = num_downsamplings(size, smallest=4, most=5)
        self.pixels = nn.Conv2d(channels, width, 1)
        self.blocks = nn.ModuleList(nn.Sequential(Block(width), Block(width)) for _ in range(times + 1))
        self.features = nn.Conv2d(width, width, 4, groups=width, bias=False)
        self.score = nn.Linear(width, 1)
        self.embedding = nn.Linear(classes, width, bias=False) if classes else None
        if self.embedding is not None:
            nn.init.zeros_(self.embedding.weight)

    def forward(self, images: SignedImages, labels: Condition) -> Scores:
        """See `Discriminator`."""
        maps = self.pixels(images)
        for number, block in enumerate(self.blocks):
            if number:
                maps = F.avg_pool2d(maps, 2)
            maps = block(maps)
        features = self.features(maps).flatten(1)
        scores: Scores = self.score(features)[:, 0]
        if self.embedding is not None:
            embedding = self.embedding(condition(labels, self.classes, features))
            scores = scores + (features * embedding).sum(dim=1)
        return scores


def residual(
    *,
    size: int = 32,
    channels: int = 3,
    latent_size: int = 64,
    generator_classes: int = 0,
    discriminator_classes: int = 0,
    width: int = 64,
) -> GanPair:
    """Residual GAN for images of 8, 16, 32, 64 or 128 pixels, conditional or not.

    Raises:
        BadSetting: another size.
    """
    return GanPair(
        ResidualGenerator(
            size=size, channels=channels, latent_size=latent_size, classes=generator_classes, width=width
        ),
        ResidualDiscriminator(size=size, channels=channels, classes=discriminator_classes, width=width),
    )
