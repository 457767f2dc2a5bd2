"""DeepFool: steps to the nearest border of a linearised network (Moosavi-Dezfooli et al., 2016, https://arxiv.org/abs/1511.04599).

The gradients of the most likely classes are taken once, at the clean image; from there on one gradient a step.
"""

import torch
from torch import Tensor

from vitrail.attacks.attacked import Attacked
from vitrail.attacks.geometry import TINY, NormName, checked_radius, column, geometry
from vitrail.attacks.goal import Goal
from vitrail.attacks.hunt import Hunt
from vitrail.backbones.backbone import Backbone
from vitrail.errors import BadSetting
from vitrail.tensors import Images, Scores

CANDIDATES = 9
OVERSHOOT = 1.02


def deep_fool(
    backbone: Backbone,
    images: Images,
    goal: Goal,
    *,
    radius: float | None = None,
    steps: int = 20,
    seed: int = 0,
    norm: NormName = "l2",
    candidates: int = CANDIDATES,
) -> Attacked:
    """The first image beyond the border, reached in steps to where the network, were it linear, would give way.

    Args:
        radius: in pixel intensity; images that need more are given up. None: no limit.
        seed: changes nothing: no chance is involved.
        candidates: how many classes are tried for the nearest border (untargeted).
    """
    if candidates < 1:
        raise BadSetting(f"candidates must be 1 or more; got {candidates}.")
    limit = float("inf") if radius is None else checked_radius(radius)
    hunt = Hunt(backbone, images, goal, steps=steps, norm=geometry(norm))
    if len(hunt.rows):
        walk_to_the_border(hunt, steps=steps, candidates=candidates, limit=limit)
    return hunt.result()


def walk_to_the_border(hunt: Hunt, *, steps: int, candidates: int, limit: float = float("inf")) -> None:
    """Moves all active images until each has reached the goal, and finishes them; or until no step is left."""
    current = _first_step(hunt, candidates, limit)
    for _ in range(steps - 1):
        if not len(hunt.rows):
            return
        found = hunt.input_gradient(current)
        stay = hunt.keep(current, hunt.reached(found.logits))
        step = _step(hunt, found.gradient[stay], hunt.gap(found.scores, found.logits)[stay])
        current = hunt.norm.within(current[stay] + step, hunt.clean, limit)
        hunt.moved()
    hunt.keep_last(current)


def _first_step(hunt: Hunt, candidates: int, limit: float) -> Images:
    """The clean images, moved to the nearest of the borders that the likeliest classes have."""
    count = 1 if hunt.goal.targets is not None else min(candidates, len(hunt.backbone.classes) - 1)

    def work(images: Images, goal: Goal) -> tuple[Tensor, ...]:
        return _nearest_border(hunt, images, goal, count)

    gradient, gap = hunt.several(hunt.clean, work, backwards=count)
    moved = hunt.norm.within(hunt.clean + _step(hunt, gradient, gap), hunt.clean, limit)
    hunt.moved()
    return moved


def _nearest_border(hunt: Hunt, images: Images, goal: Goal, count: int) -> tuple[Images, Scores]:
    """Of the class with the nearest linear border: the gradient of its margin, and what is missing, in logits."""
    inputs = images.detach().requires_grad_()
    with torch.enable_grad():
        logits = hunt.backbone(inputs)
        if goal.targets is None:
            rivals = logits.scatter(1, goal.labels[:, None], -torch.inf).topk(count, dim=1).indices
            scores = logits.gather(1, rivals) - logits.gather(1, goal.labels[:, None])
        else:
            scores = goal.scores(logits)[:, None]
        gradients = [
            torch.autograd.grad(scores[:, i].sum(), inputs, retain_graph=i < count - 1)[0] for i in range(count)
        ]
    gaps = torch.stack([hunt.gap(score, logits) for score in scores.T], dim=1).detach()
    distances = torch.stack([_distance(hunt, gradients[i], gaps[:, i]) for i in range(count)], dim=1)
    nearest = distances.argmin(dim=1)
    rows = torch.arange(len(images), device=images.device)
    return torch.stack(gradients)[nearest, rows], gaps[rows, nearest]


def _distance(hunt: Hunt, gradient: Images, gap: Scores) -> Scores:
    """How far the border lies if the network is linear, (N,)."""
    return gap / hunt.norm.dual(gradient).clamp_min(TINY)


def _step(hunt: Hunt, gradient: Images, gap: Scores) -> Images:
    return column(OVERSHOOT * _distance(hunt, gradient, gap)) * hunt.norm.steepest(gradient)
