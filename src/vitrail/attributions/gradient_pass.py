"""One forward and one backward pass that serve the prediction, the saliency and the class activation maps together."""

from dataclasses import dataclass, field

import torch
import torch.nn.functional as F
from torch import Tensor

from vitrail.attributions.spatial import input_crop_share, layer_gradients, record_spatial_outputs
from vitrail.backbones.backbone import Backbone
from vitrail.errors import BadSetting
from vitrail.image_ascent.input_gradient import check_targets
from vitrail.tensors import Images, Labels, Logits, Maps


@dataclass(frozen=True)
class GradientPass:
    """Logits of images, and the gradient of the target's logit at the pixels and at the last spatial layer.

    No tensor carries a graph.

    Attributes:
        logits: (N, K).
        targets: (N,), the classes explained.
        gradient: (N, 3, H, W), change of the target's logit per unit of pixel intensity.
        activation: (N, C, h, w), the output of the last spatial layer; None if there is none.
        activation_gradient: (N, C, h, w), change of the target's logit per unit of activation.
        crop_share: of the images' sides, the central part that this layer was computed from; 1: the whole image.
    """

    images: Images = field(repr=False)
    logits: Logits = field(repr=False)
    targets: Labels
    gradient: Images = field(repr=False)
    activation: Tensor | None = field(repr=False)
    activation_gradient: Tensor | None = field(repr=False)
    crop_share: float


def run_gradient_pass(model: Backbone, images: Images, targets: Labels | None = None) -> GradientPass:
    """The logits of images and the gradient of the target's logit, at the cost of two forward passes.

    All images go through at once: divide them by `max_batch_size`.

    The last spatial layer is the last module whose output (N, C, h, w) the target's logit depends on and that has
    more than one place; pooling to a set size and maps with one channel per class are left out. Of a vision
    transformer it is the last layer normalisation whose tokens the logit depends on, as a square grid without the
    class token.

    Args:
        targets: (N,), the classes to explain; default: the likeliest of each image.

    Raises:
        BadSetting: a target is not in [0, classes).
    """
    if targets is not None:
        check_targets(model, targets)
    inputs = images.detach().requires_grad_()
    with torch.enable_grad(), record_spatial_outputs(model) as outputs:
        logits = model(inputs.view_as(inputs))  # torch's flop counter cannot follow leaves
        resolved = logits.argmax(dim=1) if targets is None else targets
        gradient, spatial = layer_gradients(outputs, logits.gather(1, resolved[:, None])[:, 0], inputs)
    return GradientPass(
        images.detach(),
        logits.detach(),
        resolved,
        gradient,
        None if spatial is None else spatial.activation,
        None if spatial is None else spatial.gradient,
        input_crop_share(model),
    )


def largest_channel(gradient: Images) -> Maps:
    """Largest absolute value of the three channels at each pixel, (N, H, W)."""
    return gradient.abs().amax(dim=1)


def spatial_activation(gradient_pass: GradientPass) -> tuple[Tensor, Tensor]:
    """Activation and gradient of the last spatial layer, (N, C, h, w) each.

    Raises:
        BadSetting: the network has no spatial layer.
    """
    if gradient_pass.activation is None or gradient_pass.activation_gradient is None:
        raise BadSetting(
            "Class activation maps need a spatial layer, and this network has none before its scores. "
            "Use 'gradient' or 'integrated-gradients'."
        )
    return gradient_pass.activation, gradient_pass.activation_gradient


def class_activation_map(gradient_pass: GradientPass, weights: Tensor) -> Maps:
    """The positive part of the last spatial layer's channels, summed with `weights` (N, C, 1, 1); (N, H, W)."""
    activation, _ = spatial_activation(gradient_pass)
    weighted = (weights * activation).sum(dim=1, keepdim=True).relu()
    return upsample_map(weighted, gradient_pass.images, gradient_pass.crop_share)[:, 0]


def upsample_map(small: Tensor, images: Images, crop_share: float) -> Tensor:
    """(N, C, h, w) as (N, C, H, W), bilinearly: H and W of the images, whose central `crop_share` it covers."""
    height, width = (round(crop_share * side) for side in images.shape[2:])
    middle = F.interpolate(small, size=(height, width), mode="bilinear", align_corners=False)
    top, left = (images.shape[2] - height) // 2, (images.shape[3] - width) // 2
    return F.pad(middle, (left, images.shape[3] - width - left, top, images.shape[2] - height - top))
