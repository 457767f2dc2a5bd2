"""Saliency: the slope of the class score (Simonyan et al., 2014, https://arxiv.org/abs/1312.6034)."""

from vitrail.attributions.look import FROM_LOOK, look
from vitrail.attributions.passes import by_images
from vitrail.backbones.backbone import Backbone
from vitrail.image_ascent import MEMORY
from vitrail.tensors import Images, Labels, Maps


def gradient(backbone: Backbone, images: Images, targets: Labels, *, memory: int = MEMORY) -> Maps:
    """Largest absolute slope of the target's logit over the three channels, per pixel.

    Returns:
        (N, H, W), change of the logit per unit of pixel intensity; never negative.
    Raises:
        BadSetting: a target is not in [0, classes).
    """
    made = FROM_LOOK["gradient"]
    return by_images(backbone, images, targets, lambda x, y: made(look(backbone, x, y)), memory=memory)
