"""Gradients of a network's output with respect to its input image: the engine of maps, attacks and visualisation.

`arguments` checks what a caller passes, `objectives` defines what is maximised, `input_gradient` computes its value and
gradient, `batching` bounds the memory, `workers` are threads that compute side by side, `monitor` runs long calls in
them and reports their progress.
"""

from vitrail.image_ascent.arguments import check_classes, check_images, check_maps, check_network
from vitrail.image_ascent.batching import MEMORY, in_chunks, max_batch_size
from vitrail.image_ascent.input_gradient import InputGradient, check_finite, check_targets, input_gradient
from vitrail.image_ascent.monitor import NetworkTraffic, Watch, in_workers
from vitrail.image_ascent.objectives import Objective, channel, class_score, l2_norm, margin, margins
from vitrail.image_ascent.workers import shared_copy, worker_count, worker_threads

__all__ = [
    "MEMORY",
    "InputGradient",
    "NetworkTraffic",
    "Objective",
    "Watch",
    "channel",
    "check_classes",
    "check_finite",
    "check_images",
    "check_maps",
    "check_network",
    "check_targets",
    "class_score",
    "in_chunks",
    "in_workers",
    "input_gradient",
    "l2_norm",
    "margin",
    "margins",
    "max_batch_size",
    "shared_copy",
    "worker_count",
    "worker_threads",
]
