"""Score-CAM: channels weighted by the score they let through (Wang et al., 2020, https://arxiv.org/abs/1910.01279)."""

import torch
from torch import Tensor

from vitrail.attributions.batching import map_images, map_samples, target_scores
from vitrail.attributions.gradient_pass import (
    GradientPass,
    class_activation_map,
    run_gradient_pass,
    spatial_activation,
    upsample_map,
)
from vitrail.backbones.backbone import Backbone
from vitrail.image_ascent import MEMORY, check_images, max_batch_size
from vitrail.tensors import Images, Labels, Maps


def score_cam(model: Backbone, images: Images, targets: Labels | None = None, *, memory: int = MEMORY) -> Maps:
    """The last spatial layer's channels, each weighted by the target's logit of the image masked by it.

    Costs one forward pass per channel of the layer (512 for SqueezeNet, 1,280 for EfficientNet-Lite0).

    Args:
        targets: (N,), the classes to explain; default: the likeliest of each image.
        memory: bytes per batch.

    Returns:
        (N, H, W), upsampled bilinearly from that layer; never negative.

    Raises:
        BadSetting: a target is not in [0, classes), or the network has no spatial layer (see `run_gradient_pass`).
    """
    check_images(model, images)
    size = max_batch_size(model, images, memory=memory)

    def work(x: Images, y: Labels | None) -> Maps:
        gradient_pass = run_gradient_pass(model, x, y)
        weights = _channel_scores(model, gradient_pass, size).softmax(dim=1)
        return class_activation_map(gradient_pass, weights[:, :, None, None])

    return map_images(model, images, targets, work, memory=memory)


def _channel_scores(model: Backbone, gradient_pass: GradientPass, size: int) -> Tensor:
    """(N, C), the target's logit of each image times each channel, the channel scaled to [0, 1]."""
    images, (activation, _) = gradient_pass.images, spatial_activation(gradient_pass)
    channels = activation.shape[1]
    scores = images.new_empty(len(images), channels)

    def work(rows: Tensor, channel: Tensor) -> None:
        masks = upsample_map(activation[rows, channel][:, None], images[:1], gradient_pass.crop_share)
        low, high = masks.amin(dim=(2, 3), keepdim=True), masks.amax(dim=(2, 3), keepdim=True)
        masked = images[rows] * (masks - low) / torch.where(high == low, 1.0, high - low)
        scores[rows, channel] = target_scores(model, masked, gradient_pass.targets[rows])

    map_samples(images, channels, size, work)
    return scores
