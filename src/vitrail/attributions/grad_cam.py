"""Grad-CAM (Selvaraju et al., 2017, https://arxiv.org/abs/1610.02391)."""

from vitrail.attributions.look import FROM_LOOK, look
from vitrail.attributions.passes import by_images
from vitrail.backbones.backbone import Backbone
from vitrail.image_ascent import MEMORY
from vitrail.tensors import Images, Labels, Maps


def grad_cam(backbone: Backbone, images: Images, targets: Labels, *, memory: int = MEMORY) -> Maps:
    """The last spatial layer's channels, weighted by the mean slope of the target's logit there.

    Returns:
        (N, H, W), enlarged bilinearly from that layer; never negative: what speaks against the class is cut off.
    Raises:
        BadSetting: a target is not in [0, classes), or the network has no spatial layer (see `look`).
    """
    made = FROM_LOOK["grad-cam"]
    return by_images(backbone, images, targets, lambda x, y: made(look(backbone, x, y)), memory=memory)
