"""The result of an audit, image by image, and its summary values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int

from vitrail.attacks.robustness_curve import ROUNDING

FAITHFULNESS = ("deletion_auc", "insertion_auc")


@dataclass(frozen=True)
class AuditResult:
    """Measurements of N images.

    Without labels the prediction on the clean image stands for the class of each image: then nothing is known of
    accuracy, and `robust` is the share of images whose prediction stays the same.

    Attributes:
        method: attribution method of the maps.
        epsilons: norm -> epsilon values of its curve, in pixel intensity.
        labelled: whether the classes of the images are known.
        correct: (N,), whether the clean image is classified correctly; all true without labels.
        minimal: norm -> (N,), norm of the shortest adversarial perturbation found; 0 where `correct` is false, infinite
            where none was found.
        faithfulness: metric -> (N,), of the maps and, after `random_`, of random maps.
        passes: (N,), forward passes and gradients spent on the perturbations.
        autoattack: (N,), whether AutoAttack leaves the image correct; None: not run.
        autoattack_epsilon: the epsilon of AutoAttack, L-infinity.
    """

    method: str
    epsilons: Mapping[str, Sequence[float]]
    labelled: bool
    correct: Bool[np.ndarray, " n"] = field(repr=False)
    minimal: Mapping[str, Float[np.ndarray, " n"]] = field(repr=False)
    faithfulness: Mapping[str, Float[np.ndarray, " n"]] = field(repr=False)
    passes: Int[np.ndarray, " n"] = field(repr=False)
    autoattack: Bool[np.ndarray, " n"] | None = field(repr=False, default=None)
    autoattack_epsilon: float = 0.0

    @property
    def measure(self) -> str:
        """What the curves measure: `accuracy`, or without labels `agreement` with the prediction on the clean image."""
        return "accuracy" if self.labelled else "agreement"

    def robust(self, norm: str, epsilon: float) -> float:
        """Share of images that no perturbation found within `epsilon` changes: an upper bound of the robust share."""
        return float((self.minimal[norm] > epsilon + ROUNDING).mean())

    def values(self) -> dict[str, Any]:
        """As in `result.json`: `accuracy` is null where no labels are known, and `agreement` is given instead."""
        curve = [
            {"norm": norm, "epsilon": epsilon, **self._named(self.robust(norm, epsilon))}
            for norm, epsilons in self.epsilons.items()
            for epsilon in epsilons
        ]
        found = self.minimal["l2"][self.correct & np.isfinite(self.minimal["l2"])]
        values: dict[str, Any] = {
            "n": len(self.correct),
            "measure": self.measure,
            "accuracy": float(self.correct.mean()) if self.labelled else None,
            "curve": curve,
            "minimal_l2": {
                "mean": float(found.mean()) if len(found) else None,
                "median": float(np.median(found)) if len(found) else None,
                "n": len(found),
            },
            "faithfulness": {
                "method": self.method,
                **{name: float(each.mean()) for name, each in self.faithfulness.items()},
            },
            "forwards_per_image": float(self.passes.mean()),
        }
        if self.autoattack is not None:
            here = self._named(self.robust("linf", self.autoattack_epsilon))
            values["autoattack"] = {
                "attack": "AutoAttack (pyautoattack, standard)",
                "norm": "linf",
                "epsilon": self.autoattack_epsilon,
                **self._named(float(self.autoattack.mean())),
                **{f"{name}_here": value for name, value in here.items()},
            }
        return values

    def _named(self, share: float) -> dict[str, float | None]:
        """A share of images under attack, by what it measures."""
        return {"accuracy": share} if self.labelled else {"accuracy": None, "agreement": share}
