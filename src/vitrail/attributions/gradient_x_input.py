"""Gradient times input (Shrikumar et al., 2016, https://arxiv.org/abs/1605.01713)."""

from vitrail.attributions.batching import map_images
from vitrail.attributions.gradient_pass import GradientPass, run_gradient_pass
from vitrail.backbones.backbone import Backbone
from vitrail.image_ascent import MEMORY
from vitrail.tensors import Images, Labels, Maps


def gradient_x_input(model: Backbone, images: Images, targets: Labels | None = None, *, memory: int = MEMORY) -> Maps:
    """Gradient of the target's logit times pixel intensity, summed over channels.

    Args:
        targets: (N,), the classes to explain; default: the likeliest of each image.
        memory: bytes per batch.

    Returns:
        (N, H, W), signed, in units of the logit: for a linear network the contribution of each pixel.

    Raises:
        BadSetting: a target is not in [0, classes).
    """
    return map_images(model, images, targets, lambda x, y: from_pass(run_gradient_pass(model, x, y)), memory=memory)


def from_pass(gradient_pass: GradientPass) -> Maps:
    """The map, from a pass that other methods may share."""
    return (gradient_pass.gradient * gradient_pass.images).sum(dim=1)
