"""What an attack yields about an image file."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import UInt8

from vitrail.image_files import display_name

ClassEntry = dict[str, Any]
"""A class as in `result.json`: `index`, `name`, and `probability` where it is a prediction."""

HwcPixels = UInt8[np.ndarray, "height width 3"]


@dataclass(frozen=True)
class FileAttackResult:
    """An image file after an attack; every value is measured on `png`.

    Attributes:
        clean, adversarial: the image as decoded, before and after.
        png: the adversarial image as a PNG file.
        source: the prediction on the clean image.
        target: the class to reach; None: any other.
        result: the prediction on the PNG file, read and preprocessed as any file.
        success: whether the network classifies the PNG file as wanted, by the required margin.
        misclassified_before: whether the clean image is classified as the target, so that there is nothing to do.
        l2, linf: norms of the perturbation, in pixel intensity.
        ssim: structural similarity of the two images.
        margin_history: the criterion's margin at each gradient, in logits.
    """

    file: Path
    clean: HwcPixels = field(repr=False)
    adversarial: HwcPixels = field(repr=False)
    png: bytes = field(repr=False)
    source: ClassEntry
    target: ClassEntry | None
    result: ClassEntry
    l2: float
    linf: float
    ssim: float
    steps: int
    forwards: int
    backwards: int
    margin_history: list[float] = field(repr=False)
    success: bool
    misclassified_before: bool = False

    def entry(self) -> dict[str, Any]:
        """As in `result.json`, but for the name of the output."""
        return {
            "file": display_name(self.file),
            "source": self.source,
            "target": self.target,
            **({"misclassified_before": True} if self.misclassified_before else {}),
            "l2": self.l2,
            "linf": self.linf,
            "ssim": self.ssim,
            "steps": self.steps,
            "forwards": self.forwards,
            "backwards": self.backwards,
            "result": self.result,
            "success": self.success,
            "verified": self.success,
        }


@dataclass(frozen=True)
class AttackPreview:
    """An image while it is attacked.

    Attributes:
        clean, adversarial: before, and at the latest forward pass.
        forwards: number of forward passes so far.
        probability: of the target, or of the source class if untargeted.
        targeted: which of the two.
    """

    clean: HwcPixels = field(repr=False)
    adversarial: HwcPixels = field(repr=False)
    forwards: int
    probability: float
    targeted: bool
