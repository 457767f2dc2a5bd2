"""One forward and one backward pass that serve the verdict, the saliency and the class activation maps together."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import torch
import torch.nn.functional as F
from torch import Tensor

from vitrail.attributions.spatial import share_seen, slopes, watched
from vitrail.backbones.backbone import Backbone
from vitrail.errors import BadSetting
from vitrail.image_ascent.input_gradient import check_targets
from vitrail.tensors import Images, Labels, Logits, Maps


@dataclass(frozen=True)
class Look:
    """What a network says of images, and how it comes to it; nothing of it carries a graph.

    Attributes:
        logits: (N, K).
        targets: (N,), the classes explained.
        gradient: (N, 3, H, W), change of the target's logit per unit of pixel intensity.
        activation: (N, C, h, w), what the last spatial layer gives; None if there is none.
        activation_gradient: (N, C, h, w), change of the target's logit per unit of activation.
        share: of the images' sides, what that layer was computed from: their middle, or all (1).
    """

    images: Images = field(repr=False)
    logits: Logits = field(repr=False)
    targets: Labels
    gradient: Images = field(repr=False)
    activation: Tensor | None = field(repr=False)
    activation_gradient: Tensor | None = field(repr=False)
    share: float


def look(backbone: Backbone, images: Images, targets: Labels | None = None) -> Look:
    """The logits of images, and the slope of the target's logit at the pixels and at the last spatial layer.

    Costs two forward passes. All images go through at once: divide them by `max_batch_size`.

    The last spatial layer is the last module whose output (N, C, h, w) the target's logit depends on and that has
    more than one place; pooling to a set size and maps with a channel for each class are left out. Of a vision
    transformer it is the last layer normalisation whose tokens count, as a square grid without the class token.

    Args:
        targets: (N,), the classes to explain; by default the likeliest of each image.
    Raises:
        BadSetting: a target is not in [0, classes).
    """
    if targets is not None:
        check_targets(backbone, targets)
    inputs = images.detach().requires_grad_()
    with torch.enable_grad(), watched(backbone) as found:
        logits = backbone(inputs.view_as(inputs))  # torch's flop counter cannot follow leaves
        chosen = logits.argmax(dim=1) if targets is None else targets
        gradient, spatial = slopes(found, logits.gather(1, chosen[:, None])[:, 0], inputs)
    activation = None if spatial is None else spatial.activation
    input_gradient = None if spatial is None else spatial.gradient
    return Look(images.detach(), logits.detach(), chosen, gradient, activation, input_gradient, share_seen(backbone))


def largest_channel(gradient: Images) -> Maps:
    """Largest absolute value of the three channels at each pixel, (N, H, W)."""
    return gradient.abs().amax(dim=1)


def spatial_parts(seen: Look) -> tuple[Tensor, Tensor]:
    """Activation and gradient of the last spatial layer, (N, C, h, w) each.

    Raises:
        BadSetting: the network has no spatial layer.
    """
    if seen.activation is None or seen.activation_gradient is None:
        raise BadSetting(
            "Class activation maps need a layer with places, and this network has none before its scores; "
            "'gradient' or 'integrated-gradients' would work."
        )
    return seen.activation, seen.activation_gradient


def enlarged(small: Tensor, images: Images, share: float) -> Tensor:
    """(N, C, h, w) as (N, C, H, W), bilinearly, H and W being those of the images, in whose middle `share` it lies."""
    height, width = (round(share * side) for side in images.shape[2:])
    middle = F.interpolate(small, size=(height, width), mode="bilinear", align_corners=False)
    top, left = (images.shape[2] - height) // 2, (images.shape[3] - width) // 2
    return F.pad(middle, (left, images.shape[3] - width - left, top, images.shape[2] - height - top))


def _gradient(seen: Look) -> Maps:
    return largest_channel(seen.gradient)


def _gradient_x_input(seen: Look) -> Maps:
    return (seen.gradient * seen.images).sum(dim=1)


def _grad_cam(seen: Look) -> Maps:
    activation, gradient = spatial_parts(seen)
    weights = gradient.mean(dim=(2, 3), keepdim=True)
    return _class_activation(seen, activation, weights)


def _grad_cam_plus_plus(seen: Look) -> Maps:
    activation, gradient = spatial_parts(seen)
    divisor = 2 * gradient**2 + activation.sum(dim=(2, 3), keepdim=True) * gradient**3
    alpha = gradient**2 / torch.where(divisor == 0, torch.ones_like(divisor), divisor)
    return _class_activation(seen, activation, (alpha * gradient.relu()).sum(dim=(2, 3), keepdim=True))


def _class_activation(seen: Look, activation: Tensor, weights: Tensor) -> Maps:
    return enlarged((weights * activation).sum(dim=1, keepdim=True).relu(), seen.images, seen.share)[:, 0]


FROM_LOOK: Mapping[str, Callable[[Look], Maps]] = {
    "gradient": _gradient,
    "gradient-x-input": _gradient_x_input,
    "grad-cam": _grad_cam,
    "grad-cam-plus-plus": _grad_cam_plus_plus,
}
"""Methods that need no more than a `Look`: its maps, (N, H, W), by the method's name in `ATTRIBUTIONS`."""
