"""Base classes of generators and discriminators, and the encoding of conditions."""

from collections.abc import Callable
from functools import cached_property

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from vitrail.errors import BadSetting
from vitrail.tensors import Condition

Latents = Float[Tensor, "batch latent"]


class Generator(nn.Module):
    """Maps latents and labels to images in [-1, 1].

    Attributes:
        latent_size: dimension of the latents.
        classes: number of classes or attributes of the condition; 0: unconditional, labels are ignored.
    """

    def __init__(self, latent_size: int, classes: int) -> None:
        super().__init__()
        self.latent_size, self.classes = latent_size, classes

    def concat_condition(self, latents: Latents, labels: Condition) -> Tensor:
        """(N, latent_size + classes): latents concatenated with the condition, see `condition`."""
        return torch.cat([latents, condition(labels, self.classes, latents)], dim=1) if self.classes else latents


class Discriminator(nn.Module):
    """Maps images in [-1, 1] and labels to logits (N,) or (N, heads), higher for real images.

    Attributes:
        classes: number of classes or attributes of the condition; 0: unconditional.
    """

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.classes = classes

    def concat_condition(self, maps: Tensor, labels: Condition) -> Tensor:
        """(N, C + classes, H, W): images or feature maps concatenated with a constant plane per class or attribute."""
        if not self.classes:
            return maps
        planes = condition(labels, self.classes, maps)[:, :, None, None].expand(-1, -1, *maps.shape[2:])
        return torch.cat([maps, planes], dim=1)


class GanPair:
    """A generator and the discriminator that it is trained with.

    Args:
        discriminator: or a function that makes it: it is called when the discriminator is first asked for, so that a
            generator can be loaded without the network that its discriminator needed.
    """

    def __init__(self, generator: Generator, discriminator: Discriminator | Callable[[], Discriminator]) -> None:
        self.generator = generator
        self._discriminator = discriminator

    @cached_property
    def discriminator(self) -> Discriminator:
        """The discriminator."""
        given = self._discriminator
        return given if isinstance(given, Discriminator) else given()


def condition(labels: Condition, classes: int, like: Tensor) -> Float[Tensor, "batch classes"]:
    """(N, classes) in the dtype and on the device of `like`: classes one-hot, attributes unchanged."""
    return (F.one_hot(labels, classes) if labels.ndim == 1 else labels).to(like)


def num_downsamplings(size: int, *, smallest: int, most: int) -> int:
    """How many times `size` must be halved to reach `smallest`.

    Args:
        most: how many times at most.

    Raises:
        BadSetting: it is not `smallest` times a power of 2.
    """
    times = (size // smallest).bit_length() - 1
    if times < 1 or smallest << times != size or times > most:
        sides = ", ".join(str(smallest << power) for power in range(1, most + 1))
        raise BadSetting(f"This architecture generates images of {sides} pixels; got {size}. Use one of these.")
    return times


def init_weights(module: nn.Module) -> None:
    """Initialises weights from N(0, 0.02), those of batch normalisation from N(1, 0.02), and biases with 0."""
    for part in module.modules():
        if isinstance(part, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
            nn.init.normal_(part.weight, 0.0, 0.02)
        elif isinstance(part, nn.BatchNorm2d):
            nn.init.normal_(part.weight, 1.0, 0.02)
        if isinstance(getattr(part, "bias", None), nn.Parameter):
            nn.init.zeros_(part.bias)  # type: ignore[arg-type]
