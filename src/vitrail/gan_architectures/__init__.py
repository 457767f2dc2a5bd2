"""GAN architectures: pairs of generator and discriminator. To add one: a file here and a line in the table.

An entry is a function `(*, size, channels, latent_size, generator_classes, discriminator_classes, width) -> GanPair`.
Images are in [-1, 1] here and in `gan_training`, with one or three channels; everywhere else they are in [0, 1].
"""

from typing import TYPE_CHECKING

from vitrail.registry import Registry, lazy_names

if TYPE_CHECKING:
    from vitrail.gan_architectures.conditional_dcgan import conditional_dcgan as conditional_dcgan
    from vitrail.gan_architectures.conditional_mlp import conditional_mlp as conditional_mlp
    from vitrail.gan_architectures.dcgan import dcgan as dcgan
    from vitrail.gan_architectures.encoder import Encoder as Encoder
    from vitrail.gan_architectures.pair import Discriminator as Discriminator
    from vitrail.gan_architectures.pair import GanPair as GanPair
    from vitrail.gan_architectures.pair import Generator as Generator
    from vitrail.gan_architectures.projected import projected as projected
    from vitrail.gan_architectures.residual import residual as residual

__all__ = [
    "Discriminator",
    "Encoder",
    "GANS",
    "GanPair",
    "Generator",
    "conditional_dcgan",
    "conditional_mlp",
    "dcgan",
    "projected",
    "residual",
]

GANS = Registry(
    "GAN architecture",
    __name__,
    {
        "dcgan": "dcgan:dcgan",
        "conditional-dcgan": "conditional_dcgan:conditional_dcgan",
        "conditional-mlp": "conditional_mlp:conditional_mlp",
        "residual": "residual:residual",
        "projected": "projected:projected",
    },
)

lazy_names(
    __name__,
    {
        "Discriminator": "vitrail.gan_architectures.pair",
        "Encoder": "vitrail.gan_architectures.encoder",
        "GanPair": "vitrail.gan_architectures.pair",
        "Generator": "vitrail.gan_architectures.pair",
        "conditional_dcgan": "vitrail.gan_architectures.conditional_dcgan",
        "conditional_mlp": "vitrail.gan_architectures.conditional_mlp",
        "dcgan": "vitrail.gan_architectures.dcgan",
        "projected": "vitrail.gan_architectures.projected",
        "residual": "vitrail.gan_architectures.residual",
    },
)
