"""What networks say of an image that was saved."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass

import torch
from torch import Tensor

from vitrail.backbones.backbone import Backbone
from vitrail.backbones.network import Network
from vitrail.errors import BadSetting, MissingWeights
from vitrail.events import Event, Note
from vitrail.images import read_pixels, to_unit
from vitrail.transfer.classifier import open_network

PACKAGED = ("squeezenet", "efficientnet-lite0")


@dataclass(frozen=True)
class Judge:
    """A second network with the same classes."""

    network: Network

    @property
    def name(self) -> str:
        """What figures call it."""
        return self.network.name

    @classmethod
    def of(cls, name: str, network: Network) -> Generator[Event, None, Judge | None]:
        """The judge called `name`; none where "auto" finds no network with the same classes here.

        Raises:
            BadSetting: the one named has other classes.
        """
        if name == "none":
            return None
        source = next(other for other in PACKAGED if other != network.name) if name == "auto" else name
        try:
            judge = open_network(source, device=network.device)
        except MissingWeights as error:
            if name != "auto":
                raise
            yield Note(f"No second network was asked: {error}")
            return None
        if judge.classes == network.classes:
            return cls(judge)
        if name != "auto":
            raise BadSetting(f"{judge.name!r} knows other classes than {network.name!r}; --judge none would work.")
        return None

    def probabilities(self, png: bytes) -> Tensor:
        """(K,), what it says of a saved image."""
        return said(self.network.reference, png).softmax(dim=0)


@torch.no_grad()
def said(backbone: Backbone, png: bytes, layer: str = "logits") -> Tensor:
    """What a layer gives for a saved image: all of it, resized to the network's size where it has another."""
    return backbone.activations(as_seen(backbone, png), (layer,))[layer][0].cpu()


def as_seen(backbone: Backbone, png: bytes) -> Tensor:
    """(1, 3, S, S), the middle square of a saved image."""
    kind = backbone.preprocessing.interpolation
    pixels = read_pixels(png, short_side=backbone.size, crop=backbone.size, interpolation=kind)
    return to_unit(pixels)[None].to(backbone.mean.device)
