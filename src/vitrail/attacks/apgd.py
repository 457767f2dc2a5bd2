"""Auto-PGD on the difference-of-logits ratio, APGD-DLR (Croce & Hein, 2020, https://arxiv.org/abs/2003.01690).

No step size to choose: it starts at twice epsilon and is halved wherever progress has stopped.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from vitrail.attacks.criterion import Criterion
from vitrail.attacks.norms import TINY, NormName, broadcast, epsilon_or_default, get_norm
from vitrail.attacks.result import AttackResult
from vitrail.attacks.run import AttackRun
from vitrail.backbones.backbone import LOGITS, Backbone
from vitrail.image_ascent import Objective
from vitrail.tensors import Images, Labels, Scores

MOMENTUM = 0.25  # share of the previous step in the next
PROGRESS = 0.75  # share of the steps that must increase the loss for the step size to stay
FIRST, SHORTER, SHORTEST = 0.22, 0.03, 0.06  # intervals between checks, as shares of the steps


def apgd(
    model: Backbone,
    images: Images,
    criterion: Criterion | Labels,
    *,
    epsilon: float | None = None,
    steps: int = 100,
    seed: int = 0,
    norm: NormName = "linf",
) -> AttackResult:
    """Maximises the difference-of-logits ratio within the ball from a random start; stops at the first success.

    Args:
        criterion: what counts as success; labels (N,): misclassification.
        epsilon: in pixel intensity; None: 4/255 for "linf", 3 for "l2".
        seed: of the random start.

    Raises:
        BadSetting: epsilon or steps out of range, or a class that the network does not have.
    """
    limit = epsilon_or_default(norm, epsilon)
    run = AttackRun(model, images, criterion, steps=steps, norm=get_norm(norm))
    if len(run.rows):
        run_apgd(run, torch.full((len(run.rows),), limit, device=images.device), steps=steps, seed=seed)
    return run.result()


@dataclass
class _State:
    """What belongs to each active image, one row each."""

    images: Images
    previous: Images
    gradient: Images
    best: Images
    best_gradient: Images
    best_loss: Scores
    epsilon: Scores
    step_size: Scores
    increases: Tensor
    last_loss: Scores
    loss_at_check: Scores
    halved: Tensor

    def select(self, rows: Tensor) -> _State:
        return _State(**{name: value[rows] for name, value in vars(self).items()})


def run_apgd(run: AttackRun, epsilons: Scores, *, steps: int, seed: int) -> None:
    """APGD from a random point within each active image's epsilon, (A,)."""
    rng = torch.Generator().manual_seed(seed)
    change = broadcast(epsilons) * run.norm.scale(run.norm.random(run.clean, rng), torch.ones_like(epsilons))
    start = run.norm.within(run.clean + change, run.clean, epsilons)
    found = run.input_gradient(start, dlr_loss)
    stay = run.drop_solved(start, run.success(found.logits))
    zeros, loss = torch.zeros_like(epsilons), found.scores
    state = _State(
        images=start,
        previous=start,
        gradient=found.gradient,
        best=start,
        best_gradient=found.gradient,
        best_loss=loss,
        epsilon=epsilons,
        step_size=2 * epsilons,
        increases=zeros,
        last_loss=loss,
        loss_at_check=loss,
        halved=zeros > 0,
    ).select(stay)
    interval, since = max(int(FIRST * steps), 1), 0
    for taken in range(steps):
        if not len(run.rows):
            return
        current = _step(run, state, first=taken == 0)
        state.previous, state.images = state.images, current
        run.count_step()
        found = run.input_gradient(current, dlr_loss)
        stay = run.drop_solved(current, run.success(found.logits))
        _update_best(state, found.gradient, found.scores)
        state, since = state.select(stay), since + 1
        if since == interval:
            _halve_step_size(state, interval)
            interval, since = max(interval - max(int(SHORTER * steps), 1), int(SHORTEST * steps), 1), 0


def dlr_loss(criterion: Criterion) -> Objective:
    """The criterion's margin over the distances among the largest logits: invariant to their scale.

    Of two logits the only distance is the margin, and the ratio is 1 everywhere: there it is the margin itself.
    """
    targeted = criterion.targets is not None

    def score(_: Images, activations: object) -> Scores:
        logits: Tensor = activations[LOGITS]  # type: ignore[index]
        if logits.shape[1] < 3:
            return criterion.margins(logits)
        largest = logits.sort(dim=1, descending=True).values
        if targeted and logits.shape[1] > 3:
            spread = largest[:, 0] - (largest[:, 2] + largest[:, 3]) / 2
        else:
            spread = largest[:, 0] - largest[:, 2]
        return criterion.margins(logits) / (spread + TINY)

    return Objective("difference-of-logits ratio", (LOGITS,), score)


def _step(run: AttackRun, state: _State, *, first: bool) -> Images:
    """The next image: a step along the gradient, with momentum."""
    ahead = state.images + broadcast(state.step_size) * run.norm.steepest(state.gradient)
    ahead = run.norm.within(ahead, run.clean, state.epsilon)
    share = 0.0 if first else MOMENTUM
    mixed = state.images + (1 - share) * (ahead - state.images) + share * (state.images - state.previous)
    return run.norm.within(mixed, run.clean, state.epsilon)


def _update_best(state: _State, gradient: Images, loss: Scores) -> None:
    state.gradient, better = gradient, loss > state.best_loss
    state.increases = state.increases + (loss > state.last_loss)
    state.last_loss = loss
    state.best_loss = torch.where(better, loss, state.best_loss)
    state.best = torch.where(broadcast(better), state.images, state.best)
    state.best_gradient = torch.where(broadcast(better), gradient, state.best_gradient)


def _halve_step_size(state: _State, interval: int) -> None:
    """Halves the step size where the loss rose too seldom or gained nothing, and returns these images to their best."""
    idle = ~state.halved & (state.loss_at_check >= state.best_loss)
    stuck = (state.increases <= PROGRESS * interval) | idle
    state.step_size = torch.where(stuck, state.step_size / 2, state.step_size)
    state.images = torch.where(broadcast(stuck), state.best, state.images)
    state.gradient = torch.where(broadcast(stuck), state.best_gradient, state.gradient)
    state.halved, state.loss_at_check, state.increases = stuck, state.best_loss, torch.zeros_like(state.increases)
