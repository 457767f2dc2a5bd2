"""Grad-CAM (Selvaraju et al., 2017, https://arxiv.org/abs/1610.02391)."""

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


def grad_cam(model: Backbone, images: Images, targets: Labels | None = None, *, memory: int = MEMORY) -> Maps:
    """The last spatial layer's channels, weighted by the mean gradient of the target's logit there.

    Args:
        targets: (N,), the classes to explain; default: the likeliest of each image.
        memory: bytes per batch.

    Returns:
        (N, H, W), upsampled bilinearly from that layer; never negative: evidence against the class is cut off.

    Raises:
        BadSetting: a target is not in [0, classes), or the network has no spatial layer (see `run_gradient_pass`).
    """
    return map_images(model, images, targets, lambda x, y: from_pass(run_gradient_pass(model, x, y)), memory=memory)


def from_pass(gradient_pass: GradientPass) -> Maps:
    """The map, from a pass that other methods may share."""
    _, gradient = spatial_activation(gradient_pass)
    return class_activation_map(gradient_pass, gradient.mean(dim=(2, 3), keepdim=True))
