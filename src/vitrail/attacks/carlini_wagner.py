"""Carlini & Wagner's attack in the L2 norm (2017, https://arxiv.org/abs/1608.04644).

Minimises |change|^2 + c max(confidence - margin, 0) with Adam; c is fitted to each image between restarts.
"""

from __future__ import annotations

import torch
from torch import Tensor

from vitrail.attacks.criterion import Criterion
from vitrail.attacks.norms import broadcast, check_epsilon
from vitrail.attacks.result import AttackResult
from vitrail.attacks.run import AttackRun
from vitrail.backbones.backbone import Backbone
from vitrail.tensors import Images, Labels, Scores
from vitrail.validation import check_count, check_number

INSIDE = 1 - 1e-5  # a pixel at exactly 0 or 1 would have an infinite variable, and would never move
RESTART_FACTOR = 10.0


def carlini_wagner(
    model: Backbone,
    images: Images,
    criterion: Criterion | Labels,
    *,
    epsilon: float | None = None,
    steps: int = 100,
    seed: int = 0,
    restarts: int = 5,
    learning_rate: float = 0.01,
) -> AttackResult:
    """A short perturbation by plain minimisation: slow, and the baseline of older papers.

    Args:
        criterion: what counts as success; labels (N,): misclassification.
        epsilon: L2, in pixel intensity; a longer perturbation is no success. None: no limit.
        steps: of Adam, in each restart.
        seed: without effect: no random number is drawn.
        restarts: number of weights of the margin that are tried for each image.
        learning_rate: Adam's.

    Raises:
        BadSetting: an option out of range, or a class that the network does not have.
    """
    limit = float("inf") if epsilon is None else check_epsilon(epsilon)
    check_count("restarts", restarts)
    check_number("learning_rate", learning_rate, above=0)
    run = AttackRun(model, images, criterion, steps=steps)
    weight = torch.ones(len(run.rows), device=images.device)
    low, high = torch.zeros_like(weight), torch.full_like(weight, torch.inf)
    for _ in range(restarts if len(run.rows) else 0):
        success = _minimise(run, weight, steps=steps, learning_rate=learning_rate)
        low, high = torch.where(success, low, weight), torch.where(success, weight, high)
        weight = torch.where(high.isinf(), weight * RESTART_FACTOR, (low + high) / 2)
    run.clip_to_epsilon(limit)
    return run.result()


def _minimise(run: AttackRun, weight: Scores, *, steps: int, learning_rate: float) -> Tensor:
    """One run of Adam; whether any step succeeded, (A,)."""
    variable = torch.atanh((2 * run.clean - 1) * INSIDE)
    adam = torch.optim.Adam([variable], lr=learning_rate)
    ever = torch.zeros_like(weight) > 0
    for _ in range(steps):
        current = _image(variable)
        found = run.input_gradient(current)
        success = run.success(found.logits)
        run.record(current, success)
        ever |= success
        short = broadcast((found.scores <= run.criterion.confidence) * weight)
        descent = 2 * (current - run.clean) - short * found.gradient
        variable.grad = descent * (1 - variable.tanh() ** 2) / (2 * INSIDE)
        adam.step()
        run.count_step()
    current = _image(variable)
    success = run.success(run.logits(current))
    run.record(current, success)
    return ever | success


def _image(variable: Tensor) -> Images:
    return (variable.tanh() / INSIDE + 1).div(2).clamp(0, 1)
