"""DCGAN (Radford et al., 2016, https://arxiv.org/abs/1511.06434): strided convolutions and batch normalisation.

Here also with labels joined to both players: to the latents, and as planes behind the first layer's maps, as IcGAN does
(Perarnau et al., 2016, https://arxiv.org/abs/1611.06355).
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

upwards = partial(nn.ConvTranspose2d, kernel_size=4, stride=2, padding=1, bias=False)
downwards = partial(nn.Conv2d, kernel_size=4, stride=2, padding=1, bias=False)


class DcganGenerator(Generator):
    """From 1x1 over 4x4 to the whole image, each layer twice as large and half as wide."""

    def __init__(self, *, size: int, channels: int, latent_size: int, classes: int, width: int) -> None:
        super().__init__(latent_size, classes)
        times = num_downsamplings(size, smallest=4)
        widest = width << (times - 1)
        layers: list[nn.Module] = [nn.ConvTranspose2d(latent_size + classes, widest, 4, bias=False)]
        for power in reversed(range(times - 1)):
            wide = width << power
            layers += [nn.BatchNorm2d(2 * wide), nn.ReLU(inplace=True), upwards(2 * wide, wide)]
        layers += [nn.BatchNorm2d(width), nn.ReLU(inplace=True), upwards(width, channels), nn.Tanh()]
        self.layers = nn.Sequential(*layers)
        init_weights(self)

    def forward(self, latents: Latents, labels: Condition) -> SignedImages:
        """See `Generator`."""
        images: SignedImages = self.layers(self.condition_kind(latents, labels)[:, :, None, None])
        return images


class ConditionalDownsample(nn.Module):
    """`downwards` of maps with a plane for each class or attribute behind them, the same value everywhere in a plane.

    The planes are never made, which would take a third of its step: a plane of value v adds v times what a plane
    of ones adds, and that is the same for the whole batch.
    """

    def __init__(self, maps: int, classes: int, outputs: int) -> None:
        super().__init__()
        self.classes, self.layer = classes, downwards(maps + classes, outputs)

    def forward(self, maps: Tensor, labels: Condition) -> Tensor:
        """(N, outputs, H / 2, W / 2) from maps (N, maps, H, W)."""
        if not self.classes:
            return self.layer(maps)  # type: ignore[no-any-return]
        of_maps, of_planes = self.layer.weight.tensor_split([maps.shape[1]], dim=1)
        found = F.conv2d(maps, of_maps, stride=2, padding=1)
        plane = maps.new_ones(1, 1, *maps.shape[2:])
        each = F.conv2d(plane, of_planes.transpose(0, 1).flatten(0, 1)[:, None], stride=2, padding=1)
        each = each.view(self.classes, *found.shape[1:]).movedim(1, -1)
        condition_kind = condition(labels, self.classes, maps) @ each.flatten(1)
        return found + condition_kind.view(-1, *each.shape[1:]).movedim(-1, 1)


class DcganDiscriminator(Discriminator):
    """The way back: each layer half as large and twice as wide, down to 4x4 and a score."""

    def __init__(self, *, size: int, channels: int, classes: int, width: int) -> None:
        super().__init__(classes)
        times = num_downsamplings(size, smallest=8) + 1
        self.first = nn.Sequential(downwards(channels, width), nn.LeakyReLU(0.2, inplace=True))
        self.joined = ConditionalDownsample(width, classes, 2 * width)
        self.rest = nn.Sequential(*self._rest(width, times), nn.Conv2d(width << (times - 1), 1, 4, bias=False))
        init_weights(self)

    def _rest(self, width: int, times: int) -> Iterator[nn.Module]:
        for power in range(times - 1):
            wide = width << power
            if power:
                yield downwards(wide, 2 * wide)
            yield nn.BatchNorm2d(2 * wide)
            yield nn.LeakyReLU(0.2, inplace=True)

    def forward(self, images: SignedImages, labels: Condition) -> Scores:
        """See `Discriminator`."""
        found: Scores = self.rest(self.joined(self.first(images), labels)).flatten()
        return found


def dcgan(
    *,
    size: int = 64,
    channels: int = 3,
    latent_size: int = 100,
    generator_classes: int = 0,
    discriminator_classes: int = 0,
    width: int = 64,
) -> GanPair:
    """Players for images of 16, 32, 64 or 128 pixels, told no labels.

    Args:
        width: channels of the layer nearest the image.
    Raises:
        BadSetting: another size; classes, which `conditional-dcgan` takes.
    """
    if generator_classes or discriminator_classes:
        raise BadSetting("The dcgan takes no labels; conditional-dcgan would.")
    return pair(size, channels, latent_size, (0, 0), width)


def pair(size: int, channels: int, latent_size: int, classes: tuple[int, int], width: int) -> GanPair:
    """Generator and discriminator, told so many classes each."""
    return GanPair(
        DcganGenerator(size=size, channels=channels, latent_size=latent_size, classes=classes[0], width=width),
        DcganDiscriminator(size=size, channels=channels, classes=classes[1], width=width),
    )
