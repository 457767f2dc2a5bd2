"""Targets of a visualisation: a class or a channel for each image of a batch, and their scores."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from vitrail.backbones.backbone import LOGITS, Backbone
from vitrail.class_names import class_index
from vitrail.errors import BadSetting
from vitrail.image_ascent import Objective
from vitrail.image_ascent.objectives import Activations
from vitrail.tensors import Images, Scores


@dataclass(frozen=True)
class VisualisationTarget:
    """One output of a layer: a class of the layer "logits", or a channel of another layer.

    Attributes:
        name: of the class, or LAYER:INDEX; for captions.
    """

    index: int
    layer: str = LOGITS
    name: str = ""

    @property
    def is_class(self) -> bool:
        """Whether it is a class, not a channel."""
        return self.layer == LOGITS


def target_scores(targets: Sequence[VisualisationTarget]) -> Objective:
    """Mean activation of each image's own target, (N,); of a class its logit."""
    layers = tuple(dict.fromkeys(target.layer for target in targets))
    rows = tuple(enumerate(targets))
    return Objective(
        "score", layers, lambda _, a: torch.stack([a[target.layer][row, target.index].mean() for row, target in rows])
    )


def relative_logits(targets: Sequence[VisualisationTarget]) -> Objective:
    """Score of each image's target, (N,); of a class its logit minus the mean of all logits.

    The mean is subtracted because what raises every logit is not specific to the class.
    """
    is_class = torch.tensor([target.is_class for target in targets])

    def mean(_: Images, activations: Activations) -> Scores:
        means: Tensor = activations[LOGITS].mean(dim=1)
        return means * is_class.to(means)

    return target_scores(targets) - Objective("mean", (LOGITS,), mean)


def class_target(backbone: Backbone, name: str | int) -> VisualisationTarget:
    """The class called `name`, or with that index.

    Raises:
        UnknownName: there is no such class.
        BadSetting: several classes match, or the index is out of range.
    """
    classes = backbone.classes
    if isinstance(name, int) and not 0 <= name < len(classes):
        raise BadSetting(f"A class index must be between 0 and {len(classes) - 1}; got {name}.")
    index = name if isinstance(name, int) else class_index(classes, name)
    return VisualisationTarget(index, name=classes[index])


def channel_target(backbone: Backbone, name: str) -> VisualisationTarget:
    """The channel that LAYER:INDEX names.

    Raises:
        UnknownName: there is no such layer.
        BadSetting: it is not written so, or the index is out of range.
    """
    layer, _, index = name.rpartition(":")
    if not layer or not index.isdecimal():
        raise BadSetting(f"A channel must be LAYER:INDEX; got {name!r}. Use e.g. '{backbone.layers[0]}:0'.")
    with torch.no_grad():
        black = torch.zeros(1, 3, backbone.size, backbone.size, device=backbone.mean.device)
        channels = backbone.activations(black, (layer,))[layer].shape[1]
    if int(index) >= channels:
        raise BadSetting(f"Layer {layer!r} has {channels} channels; got channel {index}. Use 0 to {channels - 1}.")
    return VisualisationTarget(int(index), layer, name)
