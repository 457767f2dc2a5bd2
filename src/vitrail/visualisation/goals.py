"""What each image of a batch should show: a class, or a unit inside the network."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from vitrail.backbones.backbone import LOGITS
from vitrail.image_ascent import Objective
from vitrail.image_ascent.objectives import Activations
from vitrail.tensors import Images, Scores


@dataclass(frozen=True)
class Goal:
    """One output of a layer: a class where the layer is "logits", else a channel."""

    index: int
    layer: str = LOGITS


def goal_scores(goals: Sequence[Goal]) -> Objective:
    """The mean activation of each image's own goal, (N,): for a class its logit."""
    layers = tuple(dict.fromkeys(goal.layer for goal in goals))
    rows = tuple(enumerate(goals))
    return Objective(
        "score", layers, lambda _, a: torch.stack([a[goal.layer][row, goal.index].mean() for row, goal in rows])
    )


def distinct_scores(goals: Sequence[Goal]) -> Objective:
    """Each image's goal, (N,); of a class, by how far its logit lies above the mean of all.

    What makes every class likelier says nothing of this one.
    """
    classes = torch.tensor([goal.layer == LOGITS for goal in goals])

    def mean(_: Images, activations: Activations) -> Scores:
        means: Tensor = activations[LOGITS].mean(dim=1)
        return means * classes.to(means)

    return goal_scores(goals) - Objective("mean", (LOGITS,), mean)
