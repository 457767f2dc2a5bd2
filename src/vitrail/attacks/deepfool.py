"""DeepFool: steps to the nearest boundary of the linearised network (Moosavi-Dezfooli et al., 2016, https://arxiv.org/abs/1511.04599).

The gradients of the likeliest classes are computed once, at the clean image; then one gradient a step.
"""

import torch
from torch import Tensor

from vitrail.attacks.criterion import Criterion
from vitrail.attacks.norms import TINY, NormName, broadcast, check_epsilon, get_norm
from vitrail.attacks.result import AttackResult
from vitrail.attacks.run import AttackRun
from vitrail.backbones.backbone import Backbone
from vitrail.tensors import Images, Labels, Scores
from vitrail.validation import check_count

CANDIDATES = 9
OVERSHOOT = 1.02


def deepfool(
    model: Backbone,
    images: Images,
    criterion: Criterion | Labels,
    *,
    epsilon: float | None = None,
    steps: int = 20,
    seed: int = 0,
    norm: NormName = "l2",
    candidates: int = CANDIDATES,
) -> AttackResult:
    """The first image beyond the decision boundary, by steps to the boundary of the linearised network.

    Args:
        criterion: what counts as success; labels (N,): misclassification.
        epsilon: in pixel intensity; None: no limit.
        seed: without effect: no random number is drawn.
        candidates: number of classes among which the nearest boundary is chosen (untargeted).

    Raises:
        BadSetting: epsilon, steps or candidates out of range, or a class that the network does not have.
    """
    check_count("candidates", candidates)
    limit = float("inf") if epsilon is None else check_epsilon(epsilon)
    run = AttackRun(model, images, criterion, steps=steps, norm=get_norm(norm))
    if len(run.rows):
        deepfool_to_boundary(run, steps=steps, candidates=candidates, limit=limit)
    return run.result()


def deepfool_to_boundary(run: AttackRun, *, steps: int, candidates: int, limit: float = float("inf")) -> None:
    """Moves all active images until each succeeds, and finishes them; or until no step is left."""
    current = _first_step(run, candidates, limit)
    for _ in range(steps - 1):
        if not len(run.rows):
            return
        found = run.input_gradient(current)
        stay = run.drop_solved(current, run.success(found.logits))
        step = _step(run, found.gradient[stay], run.missing_margin(found.scores, found.logits)[stay])
        current = run.norm.within(current[stay] + step, run.clean, limit)
        run.count_step()
    run.record_last(current)


def _first_step(run: AttackRun, candidates: int, limit: float) -> Images:
    """The clean images, moved to the nearest boundary with one of the likeliest classes."""
    count = 1 if run.criterion.targets is not None else min(candidates, len(run.model.classes) - 1)

    def work(images: Images, criterion: Criterion) -> tuple[Tensor, ...]:
        return _nearest_boundary(run, images, criterion, count)

    gradient, missing = run.multi_gradients(run.clean, work, backwards=count)
    moved = run.norm.within(run.clean + _step(run, gradient, missing), run.clean, limit)
    run.count_step()
    return moved


def _nearest_boundary(run: AttackRun, images: Images, criterion: Criterion, count: int) -> tuple[Images, Scores]:
    """Of the class with the nearest linear boundary: the gradient of its margin, and the missing margin in logits."""
    inputs = images.detach().requires_grad_()
    with torch.enable_grad():
        logits = run.model(inputs)
        if criterion.targets is None:
            rivals = logits.scatter(1, criterion.labels[:, None], -torch.inf).topk(count, dim=1).indices
            margins = logits.gather(1, rivals) - logits.gather(1, criterion.labels[:, None])
        else:
            margins = criterion.margins(logits)[:, None]
        gradients = [
            torch.autograd.grad(margins[:, i].sum(), inputs, retain_graph=i < count - 1)[0] for i in range(count)
        ]
    missing = torch.stack([run.missing_margin(margin, logits) for margin in margins.T], dim=1).detach()
    distances = torch.stack([_distance(run, gradients[i], missing[:, i]) for i in range(count)], dim=1)
    nearest = distances.argmin(dim=1)
    rows = torch.arange(len(images), device=images.device)
    return torch.stack(gradients)[nearest, rows], missing[rows, nearest]


def _distance(run: AttackRun, gradient: Images, missing: Scores) -> Scores:
    """Distance of the boundary if the network were linear, (N,)."""
    return missing / run.norm.dual(gradient).clamp_min(TINY)


def _step(run: AttackRun, gradient: Images, missing: Scores) -> Images:
    return broadcast(OVERSHOOT * _distance(run, gradient, missing)) * run.norm.steepest(gradient)
