"""Accuracy against radius from one pass: the smallest change of each image answers for all radii at once.

What a minimal-norm attack leaves standing is attacked once more, by Auto-PGD at the largest radius that it survived
(Croce & Hein, 2020, https://arxiv.org/abs/2003.01690): accuracy under attack is only ever an upper bound.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from vitrail.attacks.auto_projected_gradient import climb
from vitrail.attacks.geometry import NormName, geometry
from vitrail.attacks.goal import Goal
from vitrail.attacks.hunt import Hunt
from vitrail.attacks.minimal_norm import TURN, shrink
from vitrail.backbones.backbone import Backbone
from vitrail.errors import BadSetting
from vitrail.tensors import Images, Labels, Scores

Radii = Float[Tensor, " radii"]
STEPS = 34
SECOND_STEPS = 30
ROUNDING = 1e-6  # a change of exactly the radius, added to a pixel and taken off again, is another by 6e-8


@dataclass(frozen=True)
class Sweep:
    """How a network stands changes of several sizes.

    Attributes:
        radii: (R,), in pixel intensity, rising.
        smallest: (N,), length of the smallest change found that fools the network; 0 where it is wrong without one,
            infinite where none was found.
        accuracy: (R,), share of images still right within each radius, as far as these attacks can tell.
        forwards, backwards: (N,), passes through the network.
    """

    radii: Radii
    smallest: Scores
    accuracy: Radii
    forwards: Labels
    backwards: Labels


def sweep(
    backbone: Backbone,
    images: Images,
    labels: Labels,
    *,
    norm: NormName,
    radii: Tensor | Sequence[float],
    seed: int = 0,
) -> Sweep:
    """Accuracy at every radius. An image that one step of the smallest radius fools costs 4 F.

    Raises:
        BadSetting: no radius, or radii that are not positive and rising.
    """
    limits = torch.as_tensor(radii, dtype=torch.float32, device=images.device)
    if not len(limits) or not bool((limits.diff(prepend=limits.new_zeros(1)) > 0).all()):
        raise BadSetting(f"radii must be above 0 and rise; got {limits.tolist()}; [0.1, 0.2] would work.")
    hunt = Hunt(backbone, images, Goal(labels), steps=STEPS, norm=geometry(norm))
    _one_step(hunt, float(limits[0]))
    if len(hunt.rows):
        shrink(hunt, steps=STEPS, turn=TURN[norm])
        _second_opinion(hunt, limits, seed)
    smallest, found = hunt.lengths(), hunt.result()
    right = (smallest[None] > limits[:, None] + ROUNDING).float().mean(dim=1)
    return Sweep(limits, smallest, right, found.forwards, found.backwards)


def _one_step(hunt: Hunt, radius: float) -> None:
    """Lets those go that the steepest step of the smallest radius fools."""
    if len(hunt.rows):
        found = hunt.input_gradient(hunt.clean)
        step = hunt.norm.within(hunt.clean + radius * hunt.norm.steepest(found.gradient), hunt.clean, radius)
        hunt.moved()
        hunt.keep_last(step)


def _second_opinion(hunt: Hunt, limits: Radii, seed: int) -> None:
    """Auto-PGD at the largest radius that each of the active images survived so far, as long as one gives way."""
    rows = hunt.rows
    while len(rows):
        hunt.resume(rows)
        place = torch.bucketize(hunt.nearest - ROUNDING, limits) - 1
        stay = hunt.finish(place < 0)
        before, rows = hunt.nearest, hunt.rows
        if len(rows):
            climb(hunt, limits[place[stay]], steps=SECOND_STEPS, seed=seed)
            rows = rows[hunt.lengths()[rows] < before]
