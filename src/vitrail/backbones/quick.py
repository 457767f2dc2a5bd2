"""A copy of a network that gives the same numbers sooner, its gradient with respect to the image included."""

import copy

import torch

from vitrail.backbones.backbone import Backbone
from vitrail.backbones.fast_path import fold_batch_norms


def quick_copy(backbone: Backbone) -> Backbone:
    """Batch normalisations folded into the convolutions before them, kernels stored channels-last; float32 as before.

    Layers keep their names, classes and weights' checksum; the backbone given is not touched.
    """
    quick = copy.deepcopy(backbone)
    fold_batch_norms(quick)
    return quick.to(memory_format=torch.channels_last)
