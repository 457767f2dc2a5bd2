"""Carlini & Wagner's attack in the Euclidean norm (2017, https://arxiv.org/abs/1608.04644).

Minimises |change|^2 + c max(confidence - margin, 0) with Adam; c is fitted to each image between restarts.
"""

from __future__ import annotations

import torch
from torch import Tensor

from vitrail.attacks.attacked import Attacked
from vitrail.attacks.geometry import checked_radius, column
from vitrail.attacks.goal import Goal
from vitrail.attacks.hunt import Hunt
from vitrail.backbones.backbone import Backbone
from vitrail.errors import BadSetting
from vitrail.tensors import Images, Scores

INSIDE = 1 - 1e-5  # a pixel at exactly 0 or 1 would have an infinite variable, and would never move
RESTART_FACTOR = 10.0


def carlini_wagner(
    backbone: Backbone,
    images: Images,
    goal: Goal,
    *,
    radius: float | None = None,
    steps: int = 100,
    seed: int = 0,
    restarts: int = 5,
    rate: float = 0.01,
) -> Attacked:
    """The goal reached with a short change, by plain minimisation: slow, and the yardstick of older papers.

    Args:
        radius: in pixel intensity, L2; a change that has to be longer counts as not reached. None: no limit.
        steps: of Adam in each restart.
        seed: changes nothing: no chance is involved.
        restarts: how many weights of the margin are tried for each image.
        rate: Adam's learning rate.
    """
    limit = float("inf") if radius is None else checked_radius(radius)
    if restarts < 1 or not rate > 0:
        raise BadSetting(f"restarts must be 1 or more and rate above 0; got {restarts} and {rate}.")
    hunt = Hunt(backbone, images, goal, steps=steps)
    weight = torch.ones(len(hunt.rows), device=images.device)
    low, high = torch.zeros_like(weight), torch.full_like(weight, torch.inf)
    for _ in range(restarts if len(hunt.rows) else 0):
        reached = _minimise(hunt, weight, steps=steps, rate=rate)
        low, high = torch.where(reached, low, weight), torch.where(reached, weight, high)
        weight = torch.where(high.isinf(), weight * RESTART_FACTOR, (low + high) / 2)
    hunt.give_up_beyond(limit)
    return hunt.result()


def _minimise(hunt: Hunt, weight: Scores, *, steps: int, rate: float) -> Tensor:
    """One run of Adam; whether it reached the goal, (A,)."""
    variable = torch.atanh((2 * hunt.clean - 1) * INSIDE)
    adam = torch.optim.Adam([variable], lr=rate)
    ever = torch.zeros_like(weight) > 0
    for _ in range(steps):
        current = _image(variable)
        found = hunt.input_gradient(current)
        reached = hunt.reached(found.logits)
        hunt.offer(current, reached)
        ever |= reached
        short = column((found.scores <= hunt.goal.confidence) * weight)
        descent = 2 * (current - hunt.clean) - short * found.gradient
        variable.grad = descent * (1 - variable.tanh() ** 2) / (2 * INSIDE)
        adam.step()
        hunt.moved()
    current = _image(variable)
    reached = hunt.reached(hunt.look(current))
    hunt.offer(current, reached)
    return ever | reached


def _image(variable: Tensor) -> Images:
    return (variable.tanh() / INSIDE + 1).div(2).clamp(0, 1)
