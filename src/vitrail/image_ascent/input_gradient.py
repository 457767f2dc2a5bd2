"""Gradient of a score with respect to the image: one forward pass and one backward pass, none of it for weights."""

from dataclasses import dataclass

import torch

from vitrail.backbones.backbone import LOGITS, Backbone
from vitrail.errors import BadSetting, BadWeights
from vitrail.image_ascent.arguments import check_classes
from vitrail.image_ascent.objectives import Objective
from vitrail.tensors import Images, Labels, Logits, Scores


@dataclass(frozen=True)
class InputGradient:
    """An objective's value, its gradient and the logits of the same forward pass; all detached from the graph.

    Attributes:
        scores: (N,), the objective.
        gradient: (N, 3, H, W), change of the score per unit of pixel intensity.
        logits: (N, K).
    """

    scores: Scores
    gradient: Images
    logits: Logits


def input_gradient(backbone: Backbone, images: Images, objective: Objective, *, check: bool = True) -> InputGradient:
    """The objective's value and gradient at `images`, which are not changed.

    Costs as much as two forward passes: the weights of a `Backbone` are frozen and get no gradient.

    Args:
        images: (N, 3, H, W) in [0, 1].
        check: whether the logits are looked at here; a loop does it once, since a GPU has to be waited for.

    Raises:
        BadWeights: a logit is NaN.
    """
    inputs = images.detach().requires_grad_()
    with torch.enable_grad():
        inner = tuple(layer for layer in objective.layers if layer != LOGITS)
        activations = backbone.activations(inputs, (*inner, LOGITS)) if inner else {LOGITS: backbone(inputs)}
        scores = objective(inputs, activations)
        (gradient,) = torch.autograd.grad(scores.sum(), inputs)
    if check:
        check_finite(activations[LOGITS], backbone)
    return InputGradient(scores.detach(), gradient, activations[LOGITS].detach())


def check_finite(logits: Logits, backbone: Backbone) -> None:
    """Raises `BadWeights` if a logit is NaN."""
    if logits.isnan().any():
        raise BadWeights(
            f"The logits of {backbone.name!r} are NaN: its weights are damaged or infinite. Use undamaged weights."
        )


def check_targets(backbone: Backbone, targets: Labels, count: int | None = None) -> None:
    """Raises `BadSetting` unless every target is a class index, in [0, classes).

    Args:
        count: of images, which have one target each; None: any number.
    """
    check_classes("targets", targets, count)
    classes = len(backbone.classes)
    wrong = targets[(targets < 0) | (targets >= classes)]
    if len(wrong):
        raise BadSetting(
            f"A target must be a class index of {backbone.name!r}; got {int(wrong[0])}. Use 0 to {classes - 1}."
        )
