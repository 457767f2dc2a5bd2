"""Projected gradient descent, PGD, within an epsilon ball (Madry et al., 2018, https://arxiv.org/abs/1706.06083)."""

from typing import Literal

import torch

from vitrail.attacks.criterion import Criterion
from vitrail.attacks.norms import NormName, epsilon_or_default, get_norm
from vitrail.attacks.result import AttackResult
from vitrail.attacks.run import AttackRun
from vitrail.backbones.backbone import Backbone
from vitrail.errors import BadSetting
from vitrail.tensors import Images, Labels
from vitrail.validation import check_number


def pgd(
    model: Backbone,
    images: Images,
    criterion: Criterion | Labels,
    *,
    epsilon: float | None = None,
    steps: int = 40,
    seed: int = 0,
    norm: NormName = "linf",
    step_size: float = 0.25,
    start: Literal["clean", "random"] = "clean",
) -> AttackResult:
    """Steps along the steepest ascent of the criterion's margin, each projected back; stops at the first success.

    An image that succeeds at the first step costs 4 forward passes: the clean one, a gradient, and the check.

    Args:
        criterion: what counts as success; labels (N,): misclassification.
        epsilon: in pixel intensity; None: 4/255 for "linf", 3 for "l2".
        seed: of the random start.
        step_size: as a share of epsilon.
        start: the image itself, or a random point of the ball.

    Raises:
        BadSetting: epsilon, steps or step size out of range, or a class that the network does not have.
    """
    ball, limit = get_norm(norm), epsilon_or_default(norm, epsilon)
    check_number("step_size", step_size, above=0, unit="as a share of epsilon")
    if start not in ("clean", "random"):
        raise BadSetting(f"start must be clean or random; got {start!r}.")
    run = AttackRun(model, images, criterion, steps=steps, norm=ball)
    current = run.clean
    if start == "random":
        change = ball.random(images, torch.Generator().manual_seed(seed))[run.rows]
        current = ball.within(current + limit * change, run.clean, limit)
    for taken in range(steps):
        if not len(run.rows):
            break
        found = run.input_gradient(current)
        stay = run.drop_solved(current, run.success(found.logits))
        current = current[stay] + step_size * limit * ball.steepest(found.gradient[stay])
        current = ball.within(current, run.clean, limit)
        run.count_step()
        if taken == 0:  # most images need one step only: a forward pass costs half of what the next gradient would
            current = current[run.record_last(current)]
    run.record_last(current)
    return run.result()
