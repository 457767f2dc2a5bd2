"""Gradient ascent on a class score until the network is fooled.

Source: Stanford CS231n's fooling images, after Szegedy et al. (2014, https://arxiv.org/abs/1312.6199) and Simonyan et
al. (2014, https://arxiv.org/abs/1312.6034): x <- x + eta g / |g|.
"""

from vitrail.attacks.attacked import Attacked
from vitrail.attacks.geometry import checked_radius, geometry
from vitrail.attacks.goal import Goal
from vitrail.attacks.hunt import Hunt
from vitrail.backbones.backbone import Backbone
from vitrail.errors import BadSetting
from vitrail.image_ascent import Objective, class_score
from vitrail.tensors import Images

UNIT = 0.226
"""ImageNet's mean standard deviation over the three channels, in pixel intensity: one normalised unit."""

STEP = 0.5 * UNIT
"""The usual eta, 0.5 normalised units, in pixel intensity; the same whatever a network's own normalisation."""


def gradient_ascent(
    backbone: Backbone,
    images: Images,
    goal: Goal,
    *,
    radius: float | None = None,
    steps: int = 100,
    seed: int = 0,
    step: float = STEP,
) -> Attacked:
    """Steps of one length up the target's logit, or down the label's own, until the goal is reached.

    Args:
        radius: in pixel intensity, L2; None: no limit but [0, 1].
        seed: changes nothing: no chance is involved.
        step: length of a step, L2, in pixel intensity.
    """
    if not step > 0:
        raise BadSetting(f"step must be above 0, in pixel intensity; got {step}.")
    ball, limit = geometry("l2"), float("inf") if radius is None else checked_radius(radius)
    hunt = Hunt(backbone, images, goal, steps=steps)
    current = hunt.clean
    for _ in range(steps):
        if not len(hunt.rows):
            break
        found = hunt.input_gradient(current, _score)
        stay = hunt.keep(current, hunt.reached(found.logits))
        current = current[stay] + step * ball.steepest(found.gradient[stay])
        current = ball.within(current, hunt.clean, limit)
        hunt.moved()
    hunt.keep_last(current)
    return hunt.result()


def _score(goal: Goal) -> Objective:
    return -1.0 * class_score(goal.labels) if goal.targets is None else class_score(goal.targets)
