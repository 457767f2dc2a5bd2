"""DCGAN (Radford et al., 2016, https://arxiv.org/abs/1511.06434): strided convolutions and batch normalisation.

The conditional form concatenates labels with the latents, and as constant planes with the feature maps of D's first
layer, as in IcGAN (Perarnau et al., 2016, https://arxiv.org/abs/1611.06355).
"""

from collections.abc import Iterator
from functools import partial

import torch.nn.functional as F
from torch import Tensor, nn

from vitrail.errors import BadSetting
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

upsample = partial(nn.ConvTranspose2d, kernel_size=4, stride=2, padding=1, bias=False)
downsample = partial(nn.Conv2d, kernel_size=4, stride=2, padding=1, bias=False)


class DcganGenerator(Generator):
    """Transposed convolutions from 1x1 over 4x4 to the image, each with twice the resolution and half the channels."""

    def __init__(self, *, size: int, channels: int, latent_size: int, classes: int, width: int) -> None:
        super().__init__(latent_size, classes)
        times = num_downsamplings(size, smallest=8, most=4) + 1
        widest = width << (times - 1)
        layers: list[nn.Module] = [nn.ConvTranspose2d(latent_size + classes, widest, 4, bias=False)]
        for power in reversed(range(times - 1)):
            wide = width << power
            layers += [nn.BatchNorm2d(2 * wide), nn.ReLU(inplace=True), upsample(2 * wide, wide)]
        layers += [nn.BatchNorm2d(width), nn.ReLU(inplace=True), upsample(width, channels), nn.Tanh()]
        self.layers = nn.Sequential(*layers)
        init_weights(self)

    def forward(self, latents: Latents, labels: Condition) -> SignedImages:
        """See `Generator`."""
        images: SignedImages = self.layers(self.concat_condition(latents, labels)[:, :, None, None])
        return images


class ConditionalDownsample(nn.Module):
    """`downsample` of feature maps concatenated with a constant plane for each class or attribute.

    The planes are not built, which would take a third of a step: a plane of value v contributes v times the response
    to a plane of ones, which is the same for the whole batch.
    """

    def __init__(self, maps: int, classes: int, outputs: int) -> None:
        super().__init__()
        self.classes, self.layer = classes, downsample(maps + classes, outputs)

    def forward(self, maps: Tensor, labels: Condition) -> Tensor:
        """(N, outputs, H / 2, W / 2) from maps (N, maps, H, W)."""
        if not self.classes:
            return self.layer(maps)  # type: ignore[no-any-return]
        map_weights, plane_weights = self.layer.weight.tensor_split([maps.shape[1]], dim=1)
        outputs = F.conv2d(maps, map_weights, stride=2, padding=1)
        plane = maps.new_ones(1, 1, *maps.shape[2:])
        responses = F.conv2d(plane, plane_weights.transpose(0, 1).flatten(0, 1)[:, None], stride=2, padding=1)
        responses = responses.view(self.classes, *outputs.shape[1:]).movedim(1, -1)
        contribution = condition(labels, self.classes, maps) @ responses.flatten(1)
        return outputs + contribution.view(-1, *responses.shape[1:]).movedim(-1, 1)


class DcganDiscriminator(Discriminator):
    """Strided convolutions, each with half the resolution and twice the channels, down to 4x4 and a score."""

    def __init__(self, *, size: int, channels: int, classes: int, width: int) -> None:
        super().__init__(classes)
        times = num_downsamplings(size, smallest=8, most=4) + 1
        self.first = nn.Sequential(downsample(channels, width), nn.LeakyReLU(0.2, inplace=True))
        self.conditional = ConditionalDownsample(width, classes, 2 * width)
        self.rest = nn.Sequential(*self._rest(width, times), nn.Conv2d(width << (times - 1), 1, 4, bias=False))
        init_weights(self)

    def _rest(self, width: int, times: int) -> Iterator[nn.Module]:
        for power in range(times - 1):
            wide = width << power
            if power:
                yield downsample(wide, 2 * wide)
            yield nn.BatchNorm2d(2 * wide)
            yield nn.LeakyReLU(0.2, inplace=True)

    def forward(self, images: SignedImages, labels: Condition) -> Scores:
        """See `Discriminator`."""
        scores: Scores = self.rest(self.conditional(self.first(images), labels)).flatten()
        return scores


def dcgan(
    *,
    size: int = 64,
    channels: int = 3,
    latent_size: int = 100,
    generator_classes: int = 0,
    discriminator_classes: int = 0,
    width: int = 64,
) -> GanPair:
    """Unconditional DCGAN for images of 16, 32, 64 or 128 pixels.

    Args:
        width: channels of the layer next to the image.
    Raises:
        BadSetting: another size, or classes.
    """
    if generator_classes or discriminator_classes:
        raise BadSetting("The dcgan takes no labels. Use conditional-dcgan.")
    return pair(size, channels, latent_size, (0, 0), width)


def pair(size: int, channels: int, latent_size: int, classes: tuple[int, int], width: int) -> GanPair:
    """Generator and discriminator; `classes` of each, 0: unconditional."""
    return GanPair(
        DcganGenerator(size=size, channels=channels, latent_size=latent_size, classes=classes[0], width=width),
        DcganDiscriminator(size=size, channels=channels, classes=classes[1], width=width),
    )
