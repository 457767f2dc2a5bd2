"""How a network wants its images: resized and cropped."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Preprocessing:
    """How an image becomes a network's input.

    Its short side is resized to `short_side` pixels, then the middle `size` x `size` pixels are cut out.
    """

    short_side: int
    size: int
    interpolation: Literal["bilinear", "bicubic"] = "bilinear"
