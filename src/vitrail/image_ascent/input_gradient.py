"""The slope of a score with respect to the image: one forward pass and one backward pass, none of it for weights."""

from dataclasses import dataclass

import torch

from vitrail.backbones.backbone import LOGITS, Backbone
from vitrail.errors import BadSetting, BadWeights
from vitrail.image_ascent.objectives import Objective
from vitrail.tensors import Images, Labels, Logits, Scores


@dataclass(frozen=True)
class InputGradient:
    """A score, which way it rises, and what the network says on the way; nothing of it carries a graph.

    Attributes:
        scores: (N,), the objective.
        gradient: (N, 3, H, W), change of the score per unit of pixel intensity.
        logits: (N, K).
    """

    scores: Scores
    gradient: Images
    logits: Logits


def input_gradient(backbone: Backbone, images: Images, objective: Objective) -> InputGradient:
    """The objective's value and gradient at `images`, which are not changed.

    Costs two forward passes: the weights of a `Backbone` are frozen, so no gradient of theirs is computed.

    Raises:
        BadWeights: the network gives numbers that are none (NaN).
    """
    inputs = images.detach().requires_grad_()
    with torch.enable_grad():
        inside = tuple(layer for layer in objective.layers if layer != LOGITS)
        found = backbone.activations(inputs, (*inside, LOGITS)) if inside else {LOGITS: backbone(inputs)}
        scores = objective(inputs, found)
        (gradient,) = torch.autograd.grad(scores.sum(), inputs)
    check_finite(found[LOGITS], backbone)
    return InputGradient(scores.detach(), gradient, found[LOGITS].detach())


def check_finite(logits: Logits, backbone: Backbone) -> None:
    """Raises `BadWeights` if a logit is not a number."""
    if logits.isnan().any():
        raise BadWeights(
            f"The network {backbone.name!r} gives NaN: its weights are damaged, or hold infinite numbers; "
            "weights that classify would work."
        )


def check_targets(backbone: Backbone, targets: Labels) -> None:
    """Raises `BadSetting` unless every target is a class, in [0, classes)."""
    classes = len(backbone.classes)
    wrong = targets[(targets < 0) | (targets >= classes)]
    if len(wrong):
        raise BadSetting(
            f"A target must be a class of {backbone.name!r}; got {int(wrong[0])}: choose from 0 to {classes - 1}."
        )
