"""A classifier made by transfer as one differentiable network, and its files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from safetensors import SafetensorError
from safetensors.numpy import load_file
from torch import Tensor, nn

from vitrail.backbones import BACKBONES
from vitrail.backbones.backbone import Backbone
from vitrail.backbones.recipe import Description, Preparation
from vitrail.errors import BadRun
from vitrail.files import read_json
from vitrail.transfer.head import LinearHead


class Transferred(nn.Module):
    """Backbones, feature scaling and a linear head, joined.

    Args:
        members: the networks, each with the layers whose features are used.
    """

    def __init__(
        self, members: Sequence[tuple[Backbone, Sequence[str]]], head: LinearHead, *, scaling: str, flip: bool
    ) -> None:
        super().__init__()
        self.members = nn.ModuleList(backbone for backbone, _ in members)
        self.member_layers = [tuple(layers) for _, layers in members]
        self.scaling, self.flip = scaling, flip
        self.linear = nn.Linear(head.weights.shape[1], len(head.weights))
        with torch.no_grad():
            self.linear.weight.copy_(torch.from_numpy(head.sharpness * head.weights))
            self.linear.bias.copy_(torch.from_numpy(head.sharpness * head.intercept))

    def forward(self, images: Tensor) -> Tensor:
        """Logits (N, K) of images (N, 3, S, S) in [0, 1]."""
        logits: Tensor = self.linear(torch.cat(self._blocks(images), dim=1))
        return logits

    def _blocks(self, images: Tensor) -> list[Tensor]:
        blocks = []
        for member, layers in zip(self.members, self.member_layers, strict=True):
            assert isinstance(member, Backbone)
            inputs = fitted(images, member.preparation)
            features = member.features(inputs, layers)
            if self.flip:
                mirrored = member.features(inputs.flip(3), layers)
                features = {layer: (features[layer] + mirrored[layer]) / 2 for layer in layers}
            blocks += [self._scaled(features[layer]) for layer in layers]
        return blocks

    def _scaled(self, block: Tensor) -> Tensor:
        if self.scaling == "none":
            return block
        if self.scaling == "square-root":
            # The slope of a square root is infinite at 0; the floor keeps gradients finite and changes no value seen.
            block = block.sign() * block.abs().clamp_min(1e-12).sqrt()
        return F.normalize(block, dim=1)


def fitted(images: Tensor, preparation: Preparation) -> Tensor:
    """Images cut out as `preparation` says, their short side being resized only if it is another."""
    if min(images.shape[2:]) != preparation.short_side and min(images.shape[2:]) != preparation.size:
        images = F.interpolate(images, size=(preparation.short_side,) * 2, mode="bilinear", antialias=True)
    top, left = (round((side - preparation.size) / 2) for side in images.shape[2:])
    return images[:, :, top : top + preparation.size, left : left + preparation.size]


def assemble(description: Mapping[str, Any], head: LinearHead) -> Backbone:
    """The classifier that a run describes; the backbones' own weights are found as their recipes say."""
    recipes = [(BACKBONES[member["backbone"]], member) for member in description["members"]]
    members = [(recipe(Path(m["weights"]) if m.get("weights") else None), m["layers"]) for recipe, m in recipes]
    sizes = {recipe.preparation for recipe, _ in recipes}
    preparation = sizes.pop() if len(sizes) == 1 else _widest([recipe.preparation for recipe, _ in recipes])
    network = Transferred(members, head, scaling=description["scaling"], flip=description["flip"])
    about = Description(
        name=description["name"],
        preparation=preparation,
        mean=(0.0, 0.0, 0.0),
        std=(1.0, 1.0, 1.0),
        feature_layers=("linear",),
        classes=tuple(description["classes"]),
    )
    return Backbone(network, about)


def _widest(preparations: Sequence[Preparation]) -> Preparation:
    """What all members can be cut from."""
    side = max(preparation.short_side for preparation in preparations)
    return Preparation(short_side=side, size=side, interpolation=preparations[0].interpolation)


def read_classifier(run: Path) -> tuple[dict[str, Any], LinearHead]:
    """The description and the linear head that `vitrail transfer` kept in a run.

    Raises:
        BadRun: the folder holds no classifier, or a damaged one.
    """
    place = run / "weights" / "head"
    try:
        description = read_json(place.with_suffix(".json"))
        tensors = load_file(place.with_suffix(".safetensors"))
        head = LinearHead(tensors["weights"], tensors["intercept"], float(tensors["sharpness"][0]))
    except FileNotFoundError:
        raise BadRun(f"{str(run)!r} holds no classifier; give a run of `vitrail transfer` that has ended.") from None
    except (OSError, ValueError, KeyError, SafetensorError) as error:
        raise BadRun(f"The classifier in {str(run)!r} is damaged ({error}); make the run again.") from None
    return description, head


def load(source: str | Path, weights: Path | None = None) -> Backbone:
    """A backbone by name, or the classifier in a run folder, as one differentiable network.

    Raises:
        UnknownName: neither a run folder nor a backbone's name.
        BadRun: the folder holds no classifier.
    """
    if Path(source).is_dir():
        return assemble(*read_classifier(Path(source)))
    backbone: Backbone = BACKBONES[str(source)](weights)
    return backbone
