"""Conditional GAN of fully connected layers (Mirza and Osindero, 2014, https://arxiv.org/abs/1411.1784).

Leaky ReLU replaces the paper's maxout. The generator has no normalisation: an image never depends on its batch.
"""

import torch
from torch import nn

from vitrail.errors import BadSetting
from vitrail.gan_architectures.pair import Discriminator, GanPair, Generator, Latents, condition
from vitrail.tensors import Condition, Scores, SignedImages


class MlpGenerator(Generator):
    """Three hidden layers, each twice as wide as the one before, and the output layer."""

    def __init__(self, *, size: int, channels: int, latent_size: int, classes: int, width: int) -> None:
        super().__init__(latent_size, classes)
        self.shape = (channels, size, size)
        self.layers = nn.Sequential(
            nn.Linear(latent_size + classes, width), nn.LeakyReLU(0.2, inplace=True),
            nn.Linear(width, 2 * width), nn.LeakyReLU(0.2, inplace=True),
            nn.Linear(2 * width, 4 * width), nn.LeakyReLU(0.2, inplace=True),
            nn.Linear(4 * width, channels * size * size), nn.Tanh(),
        )  # fmt: skip

    def forward(self, latents: Latents, labels: Condition) -> SignedImages:
        """See `Generator`."""
        images: SignedImages = self.layers(self.concat_condition(latents, labels)).view(-1, *self.shape)
        return images


class MlpDiscriminator(Discriminator):
    """Three hidden layers with dropout, each half as wide as the one before, and the score."""

    def __init__(self, *, size: int, channels: int, classes: int, width: int) -> None:
        super().__init__(classes)
        self.layers = nn.Sequential(
            nn.Linear(channels * size * size + classes, 4 * width), nn.LeakyReLU(0.2, inplace=True), nn.Dropout(0.3),
            nn.Linear(4 * width, 2 * width), nn.LeakyReLU(0.2, inplace=True), nn.Dropout(0.3),
            nn.Linear(2 * width, width), nn.LeakyReLU(0.2, inplace=True), nn.Dropout(0.3),
            nn.Linear(width, 1),
        )  # fmt: skip

    def forward(self, images: SignedImages, labels: Condition) -> Scores:
        """See `Discriminator`."""
        pixels = images.flatten(1)
        if self.classes:
            pixels = torch.cat([pixels, condition(labels, self.classes, pixels)], dim=1)
        scores: Scores = self.layers(pixels).flatten()
        return scores


def conditional_mlp(
    *,
    size: int = 28,
    channels: int = 1,
    latent_size: int = 100,
    generator_classes: int = 10,
    discriminator_classes: int = 10,
    width: int = 256,
) -> GanPair:
    """Conditional GAN for small images of any size; the discriminator may be unconditional (0 classes).

    Raises:
        BadSetting: a generator without classes.
    """
    if not generator_classes:
        raise BadSetting("A conditional generator needs classes; got 0. Use dcgan.")
    return GanPair(
        MlpGenerator(size=size, channels=channels, latent_size=latent_size, classes=generator_classes, width=width),
        MlpDiscriminator(size=size, channels=channels, classes=discriminator_classes, width=width),
    )
