"""Grad-CAM++ (Chattopadhay et al., 2018, https://arxiv.org/abs/1710.11063)."""

from vitrail.attributions.look import FROM_LOOK, look
from vitrail.attributions.passes import by_images
from vitrail.backbones.backbone import Backbone
from vitrail.image_ascent import MEMORY
from vitrail.tensors import Images, Labels, Maps


def grad_cam_plus_plus(backbone: Backbone, images: Images, targets: Labels, *, memory: int = MEMORY) -> Maps:
    """Grad-CAM with slopes weighted place by place, so that several objects of a class all show.

    Returns:
        (N, H, W), enlarged bilinearly from the last spatial layer; never negative.
    Raises:
        BadSetting: a target is not in [0, classes), or the network has no spatial layer (see `look`).
    """
    made = FROM_LOOK["grad-cam-plus-plus"]
    return by_images(backbone, images, targets, lambda x, y: made(look(backbone, x, y)), memory=memory)
