"""Adversarial images of any classifier, as 8-bit images by default."""

from __future__ import annotations

from inspect import signature
from typing import Any

import torch

from vitrail.attacks.criterion import Criterion
from vitrail.attacks.norms import NormName, get_norm
from vitrail.attacks.quantise import quantise_result
from vitrail.attacks.result import AttackResult
from vitrail.attacks.table import ATTACKS, DEFAULT_ATTACK
from vitrail.backbones.backbone import Backbone
from vitrail.image_ascent import check_finite, check_images
from vitrail.tensors import Images, Labels
from vitrail.validation import check_seed


def attack(
    model: Backbone,
    images: Images,
    labels: Labels | None = None,
    *,
    targets: Labels | None = None,
    method: str = DEFAULT_ATTACK,
    norm: NormName = "linf",
    epsilon: float | None = None,
    steps: int | None = None,
    step_size: float | None = None,
    confidence: float = 0.0,
    seed: int = 0,
    quantise: bool = True,
) -> AttackResult:
    """Nearly the same images, of another class to the network.

    Args:
        model: `vitrail.load(...)`, or `Backbone.wrap(...)` of any classifier.
        images: (N, 3, H, W), RGB in [0, 1], of the network's size.
        labels: (N,), the true classes; default: the network's predictions.
        targets: (N,), the class to reach for each image; default: any but the label.
        method: a name in `ATTACKS`.
        norm: what epsilon limits, of the methods that know both norms.
        epsilon: largest norm of the perturbation, in pixel intensity; default: the method's own.
        steps: at most; default: the method's own number.
        step_size: in the method's own unit; default: the method's own.
        confidence: required margin, in logits.
        seed: of random starts.
        quantise: return 8-bit images (whole steps of 1/255), the shortest perturbation that stays adversarial; it may
            exceed epsilon by rounding, half a step a value.

    Returns:
        `images` are adversarial where `success` holds.

    Raises:
        UnknownName: no such method.
        BadSetting: images that are not RGB in [0, 1], an option out of range, a target equal to its label, or a class
            that the network does not have.
    """
    check_images(model, images)
    check_seed("seed", seed)
    get_norm(norm)
    if labels is None:
        with torch.no_grad():
            logits = model(images)
        check_finite(logits, model)
        labels = logits.argmax(dim=1)
    criterion = Criterion(labels, targets, confidence)
    options = method_options(method, norm=norm, epsilon=epsilon, steps=steps, step_size=step_size, seed=seed)
    result: AttackResult = ATTACKS[method](model, images, criterion, **options)
    return quantise_result(model, result, criterion, norm=norm, epsilon=epsilon) if quantise else result


def method_options(method: str, **given: Any) -> dict[str, Any]:
    """Of the options given, those that are not None and that the method knows.

    Raises:
        UnknownName: no such method.
    """
    known = signature(ATTACKS[method]).parameters
    return {name: value for name, value in given.items() if name in known and value is not None}
