"""Projected gradient descent, PGD, within a ball (Madry et al., 2018, https://arxiv.org/abs/1706.06083)."""

from typing import Literal

import torch

from vitrail.attacks.attacked import Attacked
from vitrail.attacks.geometry import NormName, chosen_radius, geometry
from vitrail.attacks.goal import Goal
from vitrail.attacks.hunt import Hunt
from vitrail.backbones.backbone import Backbone
from vitrail.errors import BadSetting
from vitrail.tensors import Images


def projected_gradient(
    backbone: Backbone,
    images: Images,
    goal: Goal,
    *,
    radius: float | None = None,
    steps: int = 40,
    seed: int = 0,
    norm: NormName = "linf",
    step: float = 0.25,
    start: Literal["clean", "random"] = "clean",
) -> Attacked:
    """Steps along the steepest ascent of the goal's margin, each followed by a projection; stops where it is reached.

    An image fooled by the first step costs 4 F: the look at the clean one, a gradient, and the look that tells so.

    Args:
        radius: in pixel intensity; None: 4/255 for "linf", 3 for "l2".
        step: length of a step, as a share of the radius.
        start: from the image itself, or from a random place in the ball.
    """
    ball, limit = geometry(norm), chosen_radius(norm, radius)
    if not step > 0:
        raise BadSetting(f"step must be above 0, as a share of the radius; got {step}.")
    hunt = Hunt(backbone, images, goal, steps=steps, norm=ball)
    current = hunt.clean
    if start == "random":
        change = ball.random(images, torch.Generator().manual_seed(seed))[hunt.rows]
        current = ball.within(current + limit * change, hunt.clean, limit)
    for taken in range(steps):
        if not len(hunt.rows):
            break
        found = hunt.input_gradient(current)
        stay = hunt.keep(current, hunt.reached(found.logits))
        current = current[stay] + step * limit * ball.steepest(found.gradient[stay])
        current = ball.within(current, hunt.clean, limit)
        hunt.moved()
        if taken == 0:  # most need one step only: a look costs half of what the next gradient would
            current = current[hunt.keep_last(current)]
    hunt.keep_last(current)
    return hunt.result()
