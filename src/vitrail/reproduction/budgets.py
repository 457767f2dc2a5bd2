"""How much work each budget asks for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Budget:
    """What differs between budgets.

    Attributes:
        classified, grayscale, explained, attacked: numbers of images.
        fine_tuned: settings of the fine-tuned network.
        visualise_steps: steps of the two class visualisations.
        faces, digits: settings of `gan train`.
        mlp: settings of the fully connected pair that differ from `digits`: its epochs are shorter and teach it less.
        about: one sentence for the page.
    """

    name: str
    classified: int
    grayscale: int
    explained: int
    attacked: int
    fine_tuned: Mapping[str, Any]
    visualise_steps: tuple[int, int]
    faces: Mapping[str, Any]
    digits: Mapping[str, Any]
    mlp: Mapping[str, Any]
    about: str


BUDGETS = {
    "quick": Budget(
        name="quick",
        classified=100,
        grayscale=100,
        explained=8,
        attacked=4,
        fine_tuned={"backbone": ("squeezenet",), "epochs": 2},
        visualise_steps=(200, 300),
        # In a short training an EMA with a long memory would still hold the first weights.
        faces={"epochs": 8, "ema_decay": 0.99, "eval_samples": 500, "final_eval_samples": 800, "evaluate_every": 2},
        digits={
            "epochs": 4,
            "max_images": 20_000,
            "learning_rate": 4e-4,
            "ema_decay": 0.99,
            "eval_samples": 1000,
            "final_eval_samples": 2000,
        },
        mlp={"epochs": 12, "evaluate_every": 3},
        about="The quick budget: fewer images and shorter trainings than --budget full, which runs overnight.",
    ),
    "full": Budget(
        name="full",
        classified=500,
        grayscale=500,
        explained=32,
        attacked=24,
        fine_tuned={"backbone": ("efficientnet-lite0",), "epochs": 8},
        visualise_steps=(200, 300),
        faces={"epochs": 25, "size": 64, "eval_samples": 500, "final_eval_samples": 800},
        digits={"epochs": 20},
        mlp={"epochs": 50},
        about="The full budget: all images, and trainings as long as the report's.",
    ),
}
"""By the name of the budget."""
