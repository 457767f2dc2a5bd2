"""Gradient times input (Shrikumar et al., 2016, https://arxiv.org/abs/1605.01713)."""

from vitrail.attributions.look import FROM_LOOK, look
from vitrail.attributions.passes import by_images
from vitrail.backbones.backbone import Backbone
from vitrail.image_ascent import MEMORY
from vitrail.tensors import Images, Labels, Maps


def gradient_x_input(backbone: Backbone, images: Images, targets: Labels, *, memory: int = MEMORY) -> Maps:
    """Slope of the target's logit times pixel intensity, summed over channels.

    Returns:
        (N, H, W), signed, in units of the logit: for a linear network what each pixel adds to it.
    Raises:
        BadSetting: a target is not in [0, classes).
    """
    made = FROM_LOOK["gradient-x-input"]
    return by_images(backbone, images, targets, lambda x, y: made(look(backbone, x, y)), memory=memory)
