"""The class of a saved image by a network that the image was not made for.

An image that only its own network recognises shows habits of that network. Agreement of a second network that was
trained on the same images is weaker evidence than a person's.
"""

from __future__ import annotations

import torch
from torch import Tensor

from vitrail.backbones.backbone import LOGITS, Backbone
from vitrail.errors import BadSetting
from vitrail.images import read_pixels, to_unit

PACKAGED = ("squeezenet", "efficientnet-lite0")


def other_packaged_network(name: str) -> str:
    """A network whose weights come with the package, other than `name`."""
    return next(other for other in PACKAGED if other != name)


def check_same_classes(second: Backbone, first: Backbone) -> None:
    """Raises `BadSetting` unless the logits of both networks stand for the same classes."""
    if second.classes != first.classes:
        raise BadSetting(
            f"The classes of the second network {second.name!r} are not those of {first.name!r}. "
            "Use a network with the same classes, or none."
        )


@torch.no_grad()
def saved_activations(backbone: Backbone, png: bytes, layer: str = LOGITS) -> Tensor:
    """Output of a layer, (C, ...), for a saved image, resized and cropped to the network's size."""
    size = backbone.size
    pixels = read_pixels(png, short_side=size, crop=size, interpolation=backbone.preprocessing.interpolation)
    return backbone.activations(to_unit(pixels)[None].to(backbone.mean.device), (layer,))[layer][0].cpu()


def saved_probabilities(backbone: Backbone, png: bytes) -> Tensor:
    """Probabilities, (K,), of the classes of a saved image."""
    return saved_activations(backbone, png).softmax(dim=0)
