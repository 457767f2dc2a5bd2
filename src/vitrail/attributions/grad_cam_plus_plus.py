"""Grad-CAM++ (Chattopadhay et al., 2018, https://arxiv.org/abs/1710.11063)."""

import torch

from vitrail.attributions.batching import map_images
from vitrail.attributions.gradient_pass import (
    GradientPass,
    class_activation_map,
    run_gradient_pass,
    spatial_activation,
)
from vitrail.backbones.backbone import Backbone
from vitrail.image_ascent import MEMORY
from vitrail.tensors import Images, Labels, Maps


def grad_cam_plus_plus(model: Backbone, images: Images, targets: Labels | None = None, *, memory: int = MEMORY) -> Maps:
    """Grad-CAM with gradients weighted place by place, so that several objects of one class all appear.

    Args:
        targets: (N,), the classes to explain; default: the likeliest of each image.
        memory: bytes per batch.

    Returns:
        (N, H, W), upsampled bilinearly from the last spatial layer; never negative.

    Raises:
        BadSetting: a target is not in [0, classes), or the network has no spatial layer (see `run_gradient_pass`).
    """
    return map_images(model, images, targets, lambda x, y: from_pass(run_gradient_pass(model, x, y)), memory=memory)


def from_pass(gradient_pass: GradientPass) -> Maps:
    """The map, from a pass that other methods may share."""
    activation, gradient = spatial_activation(gradient_pass)
    divisor = 2 * gradient**2 + activation.sum(dim=(2, 3), keepdim=True) * gradient**3
    alpha = gradient**2 / torch.where(divisor == 0, torch.ones_like(divisor), divisor)
    return class_activation_map(gradient_pass, (alpha * gradient.relu()).sum(dim=(2, 3), keepdim=True))
