"""Conditional DCGAN: labels (Mirza and Osindero, 2014, https://arxiv.org/abs/1411.1784) in the layers of `dcgan`."""

from vitrail.errors import BadSetting
from vitrail.gan_architectures.dcgan import pair
from vitrail.gan_architectures.pair import GanPair


def conditional_dcgan(
    *,
    size: int = 32,
    channels: int = 1,
    latent_size: int = 100,
    generator_classes: int = 10,
    discriminator_classes: int = 10,
    width: int = 32,
) -> GanPair:
    """Conditional DCGAN for images of 16, 32, 64 or 128 pixels; the discriminator may be unconditional (0 classes).

    Raises:
        BadSetting: another size, or a generator without classes.
    """
    if not generator_classes:
        raise BadSetting("A conditional generator needs classes; got 0. Use dcgan.")
    return pair(size, channels, latent_size, (generator_classes, discriminator_classes), width)
