"""What is known of one attribution map: the class it explains, its faithfulness, and whether it beats chance."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, UInt8

from vitrail.attributions.segment import Region
from vitrail.attributions.verdict import Verdict


@dataclass(frozen=True)
class Explanation:
    """One attribution map of one image.

    Attributes:
        method: its name in `ATTRIBUTIONS`.
        map: (H, W), float32, as large as the network's input.
        target: index of the class explained.
        class_name: its name.
        probability: the network's, of this class.
        deletion: area under the deletion curve, in [0, 1]: low for a faithful map; None: not measured.
        insertion: area under the insertion curve: high for a faithful map.
        baseline: deletion and insertion of a random map of the same image.
        verdict: whether the map is better than chance (see `verdicts`).
        completeness_error: of integrated gradients only (see `completeness_error`).
        random_weights_correlation: rank correlation with the map of the network with shuffled weights.
        region: the object that the map marks; None: not asked for, or the map marks none.
    """

    method: str
    map: Float[np.ndarray, "height width"] = field(repr=False)
    target: int
    class_name: str
    probability: float
    deletion: float | None = None
    insertion: float | None = None
    baseline: tuple[float, float] | None = None
    verdict: Verdict | None = None
    completeness_error: float | None = None
    random_weights_correlation: float | None = None
    region: Region | None = field(default=None, repr=False)

    def class_entry(self) -> dict[str, Any]:
        """The class explained, as in `result.json`."""
        return {"index": self.target, "name": self.class_name, "probability": self.probability}

    def entry(self) -> dict[str, Any]:
        """What was measured of the map, as in `result.json`."""
        random_deletion, random_insertion = self.baseline or (None, None)
        values = {
            "method": self.method,
            "deletion_auc": self.deletion,
            "insertion_auc": self.insertion,
            "random_deletion_auc": random_deletion,
            "random_insertion_auc": random_insertion,
            "verdict": self.verdict,
            "completeness_error": self.completeness_error,
            "random_weights_correlation": self.random_weights_correlation,
        }
        return {name: value for name, value in values.items() if value is not None}


@dataclass(frozen=True)
class ExplainedImage:
    """An image as the network takes it, and its maps.

    Attributes:
        network: the network's name.
        pixels: (H, W, 3), RGB.
        explanations: one per method, all of the same class.
    """

    network: str
    pixels: UInt8[np.ndarray, "height width 3"] = field(repr=False)
    explanations: tuple[Explanation, ...]

    def class_entry(self) -> dict[str, Any]:
        """The class explained, as in `result.json`."""
        return self.explanations[0].class_entry()


@dataclass(frozen=True)
class ExplainedFile:
    """An image file, explained.

    Attributes:
        row: its place in the list of files.
    """

    row: int
    file: Path
    image: ExplainedImage
