"""How much each budget does."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Sizes:
    """What differs between budgets.

    Attributes:
        named, greyed, explained, fooled: images.
        tuned: the network that is trained further, and how it is told to.
        ascents: steps of the two class visualisations.
        faces, digits: settings of `gan train`.
        connected: what the fully connected pair has otherwise: it learns less in an epoch, which takes it less time.
        about: what this is, in a sentence.
    """

    named: int
    greyed: int
    explained: int
    fooled: int
    tuned: Mapping[str, Any]
    ascents: tuple[int, int]
    faces: Mapping[str, Any]
    digits: Mapping[str, Any]
    connected: Mapping[str, Any]
    about: str


SIZES = {
    "quick": Sizes(
        named=100,
        greyed=100,
        explained=8,
        fooled=4,
        tuned={"backbone": ("squeezenet",), "epochs": 2},
        ascents=(200, 300),
        # A short training is over before a long average has forgotten the first weights.
        faces={"epochs": 8, "ema_decay": 0.99, "eval_samples": 500, "final_eval_samples": 800, "evaluate_every": 2},
        digits={
            "epochs": 4,
            "max_images": 20_000,
            "learning_rate": 4e-4,
            "ema_decay": 0.99,
            "eval_samples": 1000,
            "final_eval_samples": 2000,
        },
        connected={"epochs": 12, "evaluate_every": 3},
        about="The quick budget: fewer images and shorter trainings than --budget full, which runs overnight.",
    ),
    "full": Sizes(
        named=500,
        greyed=500,
        explained=32,
        fooled=24,
        tuned={"backbone": ("efficientnet-lite0",), "epochs": 8},
        ascents=(200, 300),
        faces={"epochs": 25, "size": 64, "eval_samples": 500, "final_eval_samples": 800},
        digits={"epochs": 20},
        connected={"epochs": 50},
        about="The full budget: all images, and trainings as long as the report's.",
    ),
}
"""By the name of the budget."""
