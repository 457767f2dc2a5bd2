"""Fast gradient sign method, FGSM: one step to the border of the ball (Goodfellow et al., 2015, https://arxiv.org/abs/1412.6572)."""

from vitrail.attacks.attacked import Attacked
from vitrail.attacks.geometry import NormName
from vitrail.attacks.goal import Goal
from vitrail.attacks.projected_gradient import projected_gradient
from vitrail.backbones.backbone import Backbone
from vitrail.tensors import Images


def fast_gradient(
    backbone: Backbone,
    images: Images,
    goal: Goal,
    *,
    radius: float | None = None,
    steps: int = 1,
    seed: int = 0,
    norm: NormName = "linf",
) -> Attacked:
    """Each image moved once, by `radius` along the steepest ascent of the goal's margin; costs 4 F.

    Args:
        radius: in pixel intensity; None: 4/255 for "linf", 3 for "l2".
        steps: into how many equal parts the step is cut (more than one: the basic iterative method).
        seed: changes nothing: no chance is involved.
    """
    return projected_gradient(
        backbone, images, goal, radius=radius, steps=steps, seed=seed, norm=norm, step=1 / max(steps, 1), start="clean"
    )
