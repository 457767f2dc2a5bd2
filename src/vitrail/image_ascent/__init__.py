"""Gradients of a network's output with respect to its input image: the engine of maps, attacks and visualisation.

`arguments` checks what a caller passes, `objectives` defines what is maximised, `input_gradient` computes its value and
gradient, `batching` bounds the memory, `monitor` reports the progress of a long call.
"""

from vitrail.image_ascent.arguments import check_classes, check_images, check_maps, check_network
from vitrail.image_ascent.batching import MEMORY, in_chunks, max_batch_size
from vitrail.image_ascent.input_gradient import InputGradient, check_finite, check_targets, input_gradient
from vitrail.image_ascent.monitor import NetworkTraffic, monitored
from vitrail.image_ascent.objectives import Objective, channel, class_score, l2_norm, margin, margins

__all__ = [
    "MEMORY",
    "InputGradient",
    "NetworkTraffic",
    "Objective",
    "channel",
    "check_classes",
    "check_finite",
    "check_images",
    "check_maps",
    "check_network",
    "check_targets",
    "class_score",
    "in_chunks",
    "input_gradient",
    "l2_norm",
    "margin",
    "margins",
    "max_batch_size",
    "monitored",
]
