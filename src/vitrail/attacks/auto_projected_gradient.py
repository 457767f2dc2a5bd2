"""Auto-PGD on the difference-of-logits ratio, APGD-DLR (Croce & Hein, 2020, https://arxiv.org/abs/2003.01690).

No step size to choose: it starts at twice the radius and is halved wherever progress has stopped.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from vitrail.attacks.attacked import Attacked
from vitrail.attacks.geometry import TINY, NormName, chosen_radius, column, geometry
from vitrail.attacks.goal import Goal
from vitrail.attacks.hunt import Hunt
from vitrail.backbones.backbone import LOGITS, Backbone
from vitrail.image_ascent import Objective
from vitrail.tensors import Images, Scores

MOMENTUM = 0.25  # share of the last move in the next
PROGRESS = 0.75  # share of the steps that must rise for the step size to stay
FIRST, SHORTER, SHORTEST = 0.22, 0.03, 0.06  # lengths of the stretches between checks, as shares of the steps


def auto_projected_gradient(
    backbone: Backbone,
    images: Images,
    goal: Goal,
    *,
    radius: float | None = None,
    steps: int = 100,
    seed: int = 0,
    norm: NormName = "linf",
) -> Attacked:
    """Climbs the difference-of-logits ratio within the ball from a random place; stops where the goal is reached.

    Args:
        radius: in pixel intensity; None: 4/255 for "linf", 3 for "l2".
        seed: of the random start.
    """
    hunt = Hunt(backbone, images, goal, steps=steps, norm=geometry(norm))
    if len(hunt.rows):
        radii = torch.full((len(hunt.rows),), chosen_radius(norm, radius), device=images.device)
        climb(hunt, radii, steps=steps, seed=seed)
    else:
        chosen_radius(norm, radius)
    return hunt.result()


@dataclass
class _State:
    """What each active image carries along; one row each."""

    images: Images
    before: Images
    gradient: Images
    best: Images
    best_gradient: Images
    best_score: Scores
    radius: Scores
    size: Scores
    rises: Tensor
    last_score: Scores
    last_best: Scores
    halved: Tensor

    def take(self, stay: Tensor) -> _State:
        return _State(**{name: value[stay] for name, value in vars(self).items()})


def climb(hunt: Hunt, radii: Scores, *, steps: int, seed: int) -> None:
    """APGD from a random place within each active image's radius, (A,)."""
    chance = torch.Generator().manual_seed(seed)
    change = column(radii) * hunt.norm.scale(hunt.norm.random(hunt.clean, chance), torch.ones_like(radii))
    start = hunt.norm.within(hunt.clean + change, hunt.clean, radii)
    found = hunt.input_gradient(start, ratio)
    stay = hunt.keep(start, hunt.reached(found.logits))
    zeros, score = torch.zeros_like(radii), found.scores
    state = _State(
        start, start, found.gradient, start, found.gradient, score, radii, 2 * radii, zeros, score, score, zeros > 0
    ).take(stay)
    stretch, since = max(int(FIRST * steps), 1), 0
    for taken in range(steps):
        if not len(hunt.rows):
            return
        current = _moved(hunt, state, first=taken == 0)
        state.before, state.images = state.images, current
        hunt.moved()
        found = hunt.input_gradient(current, ratio)
        stay = hunt.keep(current, hunt.reached(found.logits))
        _learn(state, found.gradient, found.scores)
        state, since = state.take(stay), since + 1
        if since == stretch:
            _halve_where_stuck(state, stretch)
            stretch, since = max(stretch - max(int(SHORTER * steps), 1), int(SHORTEST * steps), 1), 0


def ratio(goal: Goal) -> Objective:
    """The goal's margin as a share of the distances among the highest logits, which no scaling of them changes.

    Of two logits the only distance is the margin, and their ratio is 1 everywhere: there the margin itself counts.
    """
    targeted = goal.targets is not None

    def score(_: Images, activations: object) -> Scores:
        logits: Tensor = activations[LOGITS]  # type: ignore[index]
        if logits.shape[1] < 3:
            return goal.scores(logits)
        high = logits.sort(dim=1, descending=True).values
        if targeted and logits.shape[1] > 3:
            spread = high[:, 0] - (high[:, 2] + high[:, 3]) / 2
        else:
            spread = high[:, 0] - high[:, 2]
        return goal.scores(logits) / (spread + TINY)

    return Objective("difference-of-logits ratio", (LOGITS,), score)


def _moved(hunt: Hunt, state: _State, *, first: bool) -> Images:
    """The next place of each image: a step up the gradient, and some of the last move."""
    ahead = state.images + column(state.size) * hunt.norm.steepest(state.gradient)
    ahead = hunt.norm.within(ahead, hunt.clean, state.radius)
    share = 0.0 if first else MOMENTUM
    mixed = state.images + (1 - share) * (ahead - state.images) + share * (state.images - state.before)
    return hunt.norm.within(mixed, hunt.clean, state.radius)


def _learn(state: _State, gradient: Images, score: Scores) -> None:
    state.gradient, better = gradient, score > state.best_score
    state.rises = state.rises + (score > state.last_score)
    state.last_score = score
    state.best_score = torch.where(better, score, state.best_score)
    state.best = torch.where(column(better), state.images, state.best)
    state.best_gradient = torch.where(column(better), gradient, state.best_gradient)


def _halve_where_stuck(state: _State, stretch: int) -> None:
    """Halves the step of the images that rose too seldom, or gained nothing, and takes them back to their best."""
    idle = ~state.halved & (state.last_best >= state.best_score)
    stuck = (state.rises <= PROGRESS * stretch) | idle
    state.size = torch.where(stuck, state.size / 2, state.size)
    state.images = torch.where(column(stuck), state.best, state.images)
    state.gradient = torch.where(column(stuck), state.best_gradient, state.gradient)
    state.halved, state.last_best, state.rises = stuck, state.best_score, torch.zeros_like(state.rises)
