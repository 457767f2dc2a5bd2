"""Fast gradient sign method, FGSM: one step of length epsilon (Goodfellow et al., 2015, https://arxiv.org/abs/1412.6572)."""

from vitrail.attacks.criterion import Criterion
from vitrail.attacks.norms import NormName
from vitrail.attacks.pgd import pgd
from vitrail.attacks.result import AttackResult
from vitrail.backbones.backbone import Backbone
from vitrail.tensors import Images, Labels


def fgsm(
    model: Backbone,
    images: Images,
    criterion: Criterion | Labels,
    *,
    epsilon: float | None = None,
    steps: int = 1,
    seed: int = 0,
    norm: NormName = "linf",
) -> AttackResult:
    """One step of length `epsilon` along the steepest ascent of the criterion's margin; costs 4 forward passes.

    Args:
        criterion: what counts as success; labels (N,): misclassification.
        epsilon: in pixel intensity; None: 4/255 for "linf", 3 for "l2".
        steps: number of equal parts of the step (more than one: the basic iterative method, BIM).
        seed: without effect: no random number is drawn.

    Raises:
        BadSetting: epsilon or steps out of range, or a class that the network does not have.
    """
    return pgd(
        model,
        images,
        criterion,
        epsilon=epsilon,
        steps=steps,
        seed=seed,
        norm=norm,
        step_size=1 / max(steps, 1),
        start="clean",
    )
