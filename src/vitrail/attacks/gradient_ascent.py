"""Gradient ascent on a class score until the image is adversarial.

Source: Stanford CS231n's "fooling images", after Szegedy et al. (2014, https://arxiv.org/abs/1312.6199) and Simonyan et
al. (2014, https://arxiv.org/abs/1312.6034): x <- x + eta g / |g|.
"""

from vitrail.attacks.criterion import Criterion
from vitrail.attacks.norms import check_epsilon, get_norm
from vitrail.attacks.result import AttackResult
from vitrail.attacks.run import AttackRun
from vitrail.backbones.backbone import Backbone
from vitrail.image_ascent import Objective, class_score
from vitrail.tensors import Images, Labels
from vitrail.validation import check_number

UNIT = 0.226
"""ImageNet's mean standard deviation over the three channels, in pixel intensity: one normalised unit."""

STEP_SIZE = 0.5 * UNIT
"""The usual eta, 0.5 normalised units, in pixel intensity; the same whatever a network's own normalisation."""


def gradient_ascent(
    model: Backbone,
    images: Images,
    criterion: Criterion | Labels,
    *,
    epsilon: float | None = None,
    steps: int = 100,
    seed: int = 0,
    step_size: float = STEP_SIZE,
) -> AttackResult:
    """Steps of constant L2 length up the target's logit, or down the label's, until the first success.

    Args:
        criterion: what counts as success; labels (N,): misclassification.
        epsilon: L2, in pixel intensity; None: no limit but [0, 1].
        seed: without effect: no random number is drawn.
        step_size: length of a step, L2, in pixel intensity.

    Raises:
        BadSetting: epsilon, steps or step size out of range, or a class that the network does not have.
    """
    check_number("step_size", step_size, above=0, unit="in pixel intensity")
    ball, limit = get_norm("l2"), float("inf") if epsilon is None else check_epsilon(epsilon)
    run = AttackRun(model, images, criterion, steps=steps)
    current = run.clean
    for _ in range(steps):
        if not len(run.rows):
            break
        found = run.input_gradient(current, _class_score)
        stay = run.drop_solved(current, run.success(found.logits))
        current = current[stay] + step_size * ball.steepest(found.gradient[stay])
        current = ball.within(current, run.clean, limit)
        run.count_step()
    run.record_last(current)
    return run.result()


def _class_score(criterion: Criterion) -> Objective:
    return -1.0 * class_score(criterion.labels) if criterion.targets is None else class_score(criterion.targets)
