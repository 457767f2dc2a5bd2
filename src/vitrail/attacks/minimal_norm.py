"""Adversarial images of minimal norm.

DeepFool to the decision boundary, bisection back to it, then direction and length are fitted in turn: decoupled
direction and norm, DDN (Rony et al., 2019, https://arxiv.org/abs/1811.09600), with the length changed by the distance
to the linearised boundary as in FMN (Pintor et al., 2021, https://arxiv.org/abs/2102.12827), each image on its own
scale.
"""

import math

import torch

from vitrail.attacks.criterion import Criterion
from vitrail.attacks.deepfool import CANDIDATES, deepfool_to_boundary
from vitrail.attacks.norms import TINY, broadcast, check_epsilon, get_norm
from vitrail.attacks.result import AttackResult
from vitrail.attacks.run import AttackRun
from vitrail.backbones.backbone import Backbone
from vitrail.tensors import Images, Labels

STEPS = 34
DEEPFOOL_STEPS = 20  # at most; networks for ImageNet need two to five
BISECTIONS = 5
DIRECTION_STEP = {"l2": (0.6, 0.05), "linf": (0.6, 0.05)}  # first and last, as a share of the perturbation's length
LENGTH_STEP = (0.08, 0.005)  # first and last share by which the length may change


def minimal_l2(
    model: Backbone,
    images: Images,
    criterion: Criterion | Labels,
    *,
    epsilon: float | None = None,
    steps: int = STEPS,
    seed: int = 0,
) -> AttackResult:
    """The shortest adversarial perturbation that can be found, in the L2 norm; about 100 forward passes an image.

    Args:
        criterion: what counts as success; labels (N,): misclassification.
        epsilon: in pixel intensity; a longer perturbation is no success. None: no limit.
        steps: gradients after the boundary was found.
        seed: without effect: no random number is drawn.

    Raises:
        BadSetting: epsilon or steps out of range, or a class that the network does not have.
    """
    return _minimal("l2", model, images, criterion, epsilon=epsilon, steps=steps)


def minimal_linf(
    model: Backbone,
    images: Images,
    criterion: Criterion | Labels,
    *,
    epsilon: float | None = None,
    steps: int = STEPS,
    seed: int = 0,
) -> AttackResult:
    """The shortest adversarial perturbation that can be found, in the L-infinity norm; see `minimal_l2`."""
    return _minimal("linf", model, images, criterion, epsilon=epsilon, steps=steps)


def _minimal(
    norm: str, model: Backbone, images: Images, criterion: Criterion | Labels, *, epsilon: float | None, steps: int
) -> AttackResult:
    limit = float("inf") if epsilon is None else check_epsilon(epsilon)
    run = AttackRun(model, images, criterion, steps=steps, norm=get_norm(norm))
    if len(run.rows):
        minimise_norm(run, steps=steps, direction_step=DIRECTION_STEP[norm])
    run.clip_to_epsilon(limit)
    return run.result()


def minimise_norm(
    run: AttackRun, *, steps: int, direction_step: tuple[float, float], candidates: int = CANDIDATES
) -> None:
    """Finds a perturbation as short as possible for the active images, none of which is adversarial yet."""
    rows = run.rows
    deepfool_to_boundary(run, steps=DEEPFOOL_STEPS, candidates=candidates)
    run.reactivate(rows)
    _bisect(run, low=0.0, steps=BISECTIONS)
    current = run.adversarial()
    length = run.norm.length(current - run.clean)
    for taken in range(steps):
        found = run.input_gradient(current)
        run.record(current, run.success(found.logits))
        share = taken / steps
        distance = run.missing_margin(found.scores, found.logits) / run.norm.dual(found.gradient).clamp_min(TINY)
        limit = _annealed(LENGTH_STEP, share)
        length = torch.minimum(length, run.best_length)
        length = length * (1 + (distance / length.clamp_min(TINY)).clamp(-limit, limit))
        change = current - run.clean
        change = change + broadcast(_annealed(direction_step, share) * length) * run.norm.steepest(found.gradient)
        current = (run.clean + run.norm.scale(change, length)).clamp(0, 1)
        run.count_step()
    run.record(current, run.success(run.logits(current)))
    _bisect(run, low=0.98, steps=BISECTIONS - 1)


def _annealed(ends: tuple[float, float], share: float) -> float:
    """From the first to the last value along a cosine."""
    first, last = ends
    return last + (first - last) * (1 + math.cos(math.pi * share)) / 2


def _bisect(run: AttackRun, *, low: float, steps: int) -> None:
    """Shortens the best perturbation towards the clean image, to `low` of its length at most."""
    change = run.adversarial() - run.clean
    lower = torch.full_like(run.best_length, low)
    upper = torch.ones_like(lower)
    for _ in range(steps):
        middle = (lower + upper) / 2
        images: Images = run.clean + broadcast(middle) * change
        success = run.success(run.logits(images))
        run.record(images, success)
        lower, upper = torch.where(success, lower, middle), torch.where(success, middle, upper)
