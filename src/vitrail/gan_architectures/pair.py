"""The two players of a game, and how labels reach them."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from vitrail.errors import BadSetting
from vitrail.tensors import Condition

Latents = Float[Tensor, "batch latent"]


class Generator(nn.Module):
    """Makes images from random numbers; its `forward` takes latents and labels, and gives `Signed`.

    Attributes:
        latent_size: how many numbers an image is made from.
        classes: how many classes or attributes it is told; 0: none, whatever comes with the latents.
    """

    def __init__(self, latent_size: int, classes: int) -> None:
        super().__init__()
        self.latent_size, self.classes = latent_size, classes

    def condition_kind(self, latents: Latents, labels: Condition) -> Tensor:
        """(N, latent_size + classes): the latents with the labels behind them, see `condition`."""
        return torch.cat([latents, condition(labels, self.classes, latents)], dim=1) if self.classes else latents


class Discriminator(nn.Module):
    """Scores images, higher for real ones; its `forward` takes `Signed` and labels, and gives logits (N,).

    Attributes:
        classes: how many classes or attributes it is told; 0: none.
    """

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.classes = classes

    def condition_kind(self, maps: Tensor, labels: Condition) -> Tensor:
        """Maps (N, C, H, W) with one more for each class or attribute behind them, the same value everywhere."""
        if not self.classes:
            return maps
        planes = condition(labels, self.classes, maps)[:, :, None, None].expand(-1, -1, *maps.shape[2:])
        return torch.cat([maps, planes], dim=1)


@dataclass(frozen=True)
class GanPair:
    """Who plays against whom."""

    generator: Generator
    discriminator: Discriminator


def condition(labels: Condition, classes: int, like: Tensor) -> Float[Tensor, "batch classes"]:
    """(N, classes) in the number type of `like`: classes one-hot, attributes as they are."""
    return (F.one_hot(labels, classes) if labels.ndim == 1 else labels).to(like)


def num_downsamplings(size: int, *, smallest: int) -> int:
    """How often `size` is halved until `smallest` is reached.

    Raises:
        BadSetting: it never is.
    """
    times = (size // smallest).bit_length() - 1
    if times < 1 or smallest << times != size:
        sides = ", ".join(str(smallest << power) for power in range(1, 6))
        raise BadSetting(f"This architecture makes images of {sides} pixels; got {size}.")
    return times


def init_weights(module: nn.Module) -> None:
    """Weights from N(0, 0.02), those of batch normalisation around 1; biases 0."""
    for part in module.modules():
        if isinstance(part, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
            nn.init.normal_(part.weight, 0.0, 0.02)
        elif isinstance(part, nn.BatchNorm2d):
            nn.init.normal_(part.weight, 1.0, 0.02)
        if isinstance(getattr(part, "bias", None), nn.Parameter):
            nn.init.zeros_(part.bias)  # type: ignore[arg-type]
