"""Score-CAM: channels weighted by the score they let through (Wang et al., 2020, https://arxiv.org/abs/1910.01279)."""

import torch
from torch import Tensor

from vitrail.attributions.look import Look, enlarged, look, spatial_parts
from vitrail.attributions.passes import by_images, by_samples, target_scores
from vitrail.backbones.backbone import Backbone
from vitrail.image_ascent import MEMORY, max_batch_size
from vitrail.tensors import Images, Labels, Maps


def score_cam(backbone: Backbone, images: Images, targets: Labels, *, memory: int = MEMORY) -> Maps:
    """The last spatial layer's channels, each weighted by the target's logit of the image seen through it.

    Costs a forward pass for every channel of the layer (512 for a SqueezeNet).

    Returns:
        (N, H, W), enlarged bilinearly from that layer; never negative.
    Raises:
        BadSetting: a target is not in [0, classes), or the network has no spatial layer (see `look`).
    """
    size = max_batch_size(backbone, images, memory=memory)

    def work(x: Images, y: Labels) -> Maps:
        seen = look(backbone, x, y)
        activation, _ = spatial_parts(seen)
        weights = _scores(backbone, seen, activation, size).softmax(dim=1)[:, :, None, None]
        return enlarged((weights * activation).sum(dim=1, keepdim=True).relu(), x, seen.share)[:, 0]

    return by_images(backbone, images, targets, work, memory=memory)


def _scores(backbone: Backbone, seen: Look, activation: Tensor, size: int) -> Tensor:
    """(N, C), the target's logit of each image times each channel, brought to [0, 1]."""
    images, channels = seen.images, activation.shape[1]
    scores = images.new_empty(len(images), channels)

    def work(rows: Tensor, numbers: Tensor) -> None:
        masks = enlarged(activation[rows, numbers][:, None], images[:1], seen.share)
        low, high = masks.amin(dim=(2, 3), keepdim=True), masks.amax(dim=(2, 3), keepdim=True)
        shown = images[rows] * (masks - low) / torch.where(high == low, 1.0, high - low)
        scores[rows, numbers] = target_scores(backbone, shown, seen.targets[rows])

    by_samples(images, channels, size, work)
    return scores
