"""Saliency: the gradient of the class score (Simonyan et al., 2014, https://arxiv.org/abs/1312.6034)."""

from vitrail.attributions.batching import map_images
from vitrail.attributions.gradient_pass import GradientPass, largest_channel, run_gradient_pass
from vitrail.backbones.backbone import Backbone
from vitrail.image_ascent import MEMORY
from vitrail.tensors import Images, Labels, Maps


def gradient(model: Backbone, images: Images, targets: Labels | None = None, *, memory: int = MEMORY) -> Maps:
    """Largest absolute gradient of the target's logit over the three channels, per pixel.

    Args:
        targets: (N,), the classes to explain; default: the likeliest of each image.
        memory: bytes per batch.

    Returns:
        (N, H, W), change of the logit per unit of pixel intensity; never negative.

    Raises:
        BadSetting: a target is not in [0, classes).
    """
    return map_images(model, images, targets, lambda x, y: from_pass(run_gradient_pass(model, x, y)), memory=memory)


def from_pass(gradient_pass: GradientPass) -> Maps:
    """The map, from a pass that other methods may share."""
    return largest_channel(gradient_pass.gradient)
