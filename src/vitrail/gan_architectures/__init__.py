"""Pairs of players for the adversarial game. To add one: a file here and a line below.

Every pair is a function `(*, size, channels, latent_size, generator_classes, discriminator_classes, width) -> GanPair`.
Images are in [-1, 1] here and in `gan_training`, of one or three channels; in [0, 1] everywhere else.
"""

from vitrail.registry import Registry

GANS = Registry(
    "GAN architecture",
    __name__,
    {
        "dcgan": "dcgan:dcgan",
        "conditional-dcgan": "conditional_dcgan:conditional_dcgan",
        "conditional-mlp": "conditional_mlp:conditional_mlp",
        "residual": "residual:residual",
    },
)
