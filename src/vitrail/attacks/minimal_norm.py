"""The smallest change that fools a network.

DeepFool to the border, bisection back to it, then the direction is turned and the length fitted in turn: decoupled
direction and norm, DDN (Rony et al., 2019, https://arxiv.org/abs/1811.09600), its length changed by what the slope
says of the border as in FMN (Pintor et al., 2021, https://arxiv.org/abs/2102.12827); every image on its own scale.
"""

import math

import torch

from vitrail.attacks.attacked import Attacked
from vitrail.attacks.deep_fool import CANDIDATES, walk_to_the_border
from vitrail.attacks.geometry import TINY, checked_radius, column, geometry
from vitrail.attacks.goal import Goal
from vitrail.attacks.hunt import Hunt
from vitrail.backbones.backbone import Backbone
from vitrail.tensors import Images

STEPS = 34
WALK = 20  # steps of DeepFool at most; networks for ImageNet need two to five
HALVINGS = 5
TURN = {"l2": (0.6, 0.05), "linf": (0.6, 0.05)}  # first and last length of a turn, as a share of the change's length
STRETCH = (0.08, 0.005)  # first and last share by which the length may change


def minimal_l2(
    backbone: Backbone,
    images: Images,
    goal: Goal,
    *,
    radius: float | None = None,
    steps: int = STEPS,
    seed: int = 0,
) -> Attacked:
    """The goal reached with as short a change as can be found, in the Euclidean length; about 100 F an image.

    Args:
        radius: in pixel intensity; a change that has to be longer counts as not reached. None: no limit.
        steps: gradients after the border was found.
        seed: changes nothing: no chance is involved.
    """
    return _minimal("l2", backbone, images, goal, radius=radius, steps=steps)


def minimal_linf(
    backbone: Backbone,
    images: Images,
    goal: Goal,
    *,
    radius: float | None = None,
    steps: int = STEPS,
    seed: int = 0,
) -> Attacked:
    """The same with the largest change of a value as the length; see `minimal_l2`."""
    return _minimal("linf", backbone, images, goal, radius=radius, steps=steps)


def _minimal(
    norm: str, backbone: Backbone, images: Images, goal: Goal, *, radius: float | None, steps: int
) -> Attacked:
    limit = float("inf") if radius is None else checked_radius(radius)
    hunt = Hunt(backbone, images, goal, steps=steps, norm=geometry(norm))
    if len(hunt.rows):
        shrink(hunt, steps=steps, turn=TURN[norm])
    hunt.give_up_beyond(limit)
    return hunt.result()


def shrink(hunt: Hunt, *, steps: int, turn: tuple[float, float], candidates: int = CANDIDATES) -> None:
    """Finds for the active images, none of which has reached the goal, a change as short as can be."""
    rows = hunt.rows
    walk_to_the_border(hunt, steps=WALK, candidates=candidates)
    hunt.resume(rows)
    _bisect(hunt, low=0.0, num_downsamplings=HALVINGS)
    current = hunt.found()
    length = hunt.norm.length(current - hunt.clean)
    for taken in range(steps):
        found = hunt.input_gradient(current)
        hunt.offer(current, hunt.reached(found.logits))
        share = taken / steps
        gap = hunt.gap(found.scores, found.logits) / hunt.norm.dual(found.gradient).clamp_min(TINY)
        stretch = _annealed(STRETCH, share)
        length = torch.minimum(length, hunt.nearest)
        length = length * (1 + (gap / length.clamp_min(TINY)).clamp(-stretch, stretch))
        change = current - hunt.clean
        change = change + column(_annealed(turn, share) * length) * hunt.norm.steepest(found.gradient)
        current = (hunt.clean + hunt.norm.scale(change, length)).clamp(0, 1)
        hunt.moved()
    hunt.offer(current, hunt.reached(hunt.look(current)))
    _bisect(hunt, low=0.98, num_downsamplings=HALVINGS - 1)


def _annealed(ends: tuple[float, float], share: float) -> float:
    """From the first to the last number along a cosine."""
    first, last = ends
    return last + (first - last) * (1 + math.cos(math.pi * share)) / 2


def _bisect(hunt: Hunt, *, low: float, num_downsamplings: int) -> None:
    """Shortens what was found towards the clean image, down to `low` of its length at most."""
    change = hunt.found() - hunt.clean
    lower = torch.full_like(hunt.nearest, low)
    upper = torch.ones_like(lower)
    for _ in range(num_downsamplings):
        middle = (lower + upper) / 2
        images = hunt.clean + column(middle) * change
        reached = hunt.reached(hunt.look(images))
        hunt.offer(images, reached)
        lower, upper = torch.where(reached, lower, middle), torch.where(reached, middle, upper)
