"""Robust accuracy at several epsilon values from one run: the shortest perturbation of each image serves all of them.

Images that the minimal-norm attack leaves correct are attacked again by Auto-PGD, at the largest epsilon that they
survived (Croce & Hein, 2020, https://arxiv.org/abs/2003.01690): robust accuracy is only ever an upper bound.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from vitrail.attacks.apgd import run_apgd
from vitrail.attacks.criterion import as_criterion
from vitrail.attacks.minimal_norm import DIRECTION_STEP, minimise_norm
from vitrail.attacks.norms import NormName, get_norm
from vitrail.attacks.run import AttackRun
from vitrail.attacks.table import EPSILONS
from vitrail.backbones.backbone import Backbone
from vitrail.errors import BadSetting
from vitrail.image_ascent import check_images
from vitrail.tensors import Images, Labels, Scores
from vitrail.validation import check_seed, describe

Epsilons = Float[Tensor, " epsilons"]
STEPS = 34
RESTART_STEPS = 30
ROUNDING = 1e-6  # a perturbation of exactly epsilon, added to a pixel and subtracted again, differs by 6e-8


@dataclass(frozen=True)
class RobustnessCurve:
    """Robust accuracy against epsilon.

    Attributes:
        epsilons: (E,), in pixel intensity, rising.
        smallest: (N,), norm of the shortest adversarial perturbation found; 0 where the clean image is misclassified,
            infinite where none was found.
        accuracy: (E,), share of images that stay correct within each epsilon: an upper bound.
        forwards, backwards: (N,), forward passes and gradients.
    """

    epsilons: Epsilons
    smallest: Scores
    accuracy: Epsilons
    forwards: Labels
    backwards: Labels


def robust_accuracy(
    model: Backbone,
    images: Images,
    labels: Labels,
    *,
    norm: NormName = "linf",
    epsilons: Tensor | Sequence[float] | None = None,
    seed: int = 0,
) -> RobustnessCurve:
    """Accuracy under attack at every epsilon. An image that one step of the smallest epsilon solves costs 4 passes.

    Args:
        model: `vitrail.load(...)`, or `Backbone.wrap(...)` of any classifier.
        images: (N, 3, H, W), RGB in [0, 1], of the network's size.
        labels: (N,), the true classes.
        epsilons: in pixel intensity, rising; default: those of `vitrail audit`.
        seed: of the random starts of Auto-PGD.

    Raises:
        BadSetting: no image, no epsilon, epsilon values that are not positive and rising, or no such norm.
    """
    ball = get_norm(norm)
    check_images(model, images)
    check_seed("seed", seed)
    if not len(images):
        raise BadSetting(f"Robust accuracy is a share of images; got {describe(images)}. Use at least one.")
    limits = _limits(EPSILONS[norm] if epsilons is None else epsilons).to(images.device)
    run = AttackRun(model, images, as_criterion(labels), steps=STEPS, norm=ball)
    _one_step(run, float(limits[0]))
    if len(run.rows):
        minimise_norm(run, steps=STEPS, direction_step=DIRECTION_STEP[norm])
        _restart(run, limits, seed)
    smallest, result = run.lengths(), run.result()
    accuracy = (smallest[None] > limits[:, None] + ROUNDING).float().mean(dim=1)
    return RobustnessCurve(limits, smallest, accuracy, result.forwards, result.backwards)


def _limits(epsilons: Any) -> Epsilons:
    try:
        limits = torch.as_tensor(epsilons, dtype=torch.float32)
        rise = limits.ndim == 1 and len(limits) and bool((limits.diff(prepend=limits.new_zeros(1)) > 0).all())
    except (TypeError, ValueError, RuntimeError):
        rise = False
    if not rise or not bool(limits.isfinite().all()):
        raise BadSetting(f"epsilons must be above 0 and rise; got {describe(epsilons)}. Use e.g. [0.1, 0.2].")
    return limits


def _one_step(run: AttackRun, epsilon: float) -> None:
    """Finishes those that the steepest step of the smallest epsilon solves."""
    if len(run.rows):
        found = run.input_gradient(run.clean)
        step = run.norm.within(run.clean + epsilon * run.norm.steepest(found.gradient), run.clean, epsilon)
        run.count_step()
        run.record_last(step)


def _restart(run: AttackRun, limits: Epsilons, seed: int) -> None:
    """Auto-PGD at the largest epsilon that each active image survived, as long as any perturbation gets shorter."""
    rows = run.rows
    while len(rows):
        run.reactivate(rows)
        place = torch.bucketize(run.best_length - ROUNDING, limits) - 1
        stay = run.drop(place < 0)
        before, rows = run.best_length, run.rows
        if len(rows):
            run_apgd(run, limits[place[stay]], steps=RESTART_STEPS, seed=seed)
            rows = rows[run.lengths()[rows] < before]
