"""Objectives on what a network makes of images, and their gradients with respect to the images."""

from vitrail.image_ascent.batching import MEMORY, in_chunks, max_batch_size
from vitrail.image_ascent.input_gradient import InputGradient, input_gradient
from vitrail.image_ascent.objectives import Objective, channel, class_score, l2_norm, margin

__all__ = [
    "MEMORY",
    "Objective",
    "InputGradient",
    "channel",
    "class_score",
    "l2_norm",
    "max_batch_size",
    "in_chunks",
    "margin",
    "input_gradient",
]
