"""The picture's gradient, and what to do with it: objectives say what to want, `slope` says which way it lies."""

from vitrail.image_ascent.budget import MEMORY, images_at_once, in_chunks
from vitrail.image_ascent.objectives import Objective, channel, class_score, energy, margin
from vitrail.image_ascent.slope import Slope, slope

__all__ = [
    "MEMORY",
    "Objective",
    "Slope",
    "channel",
    "class_score",
    "energy",
    "images_at_once",
    "in_chunks",
    "margin",
    "slope",
]
