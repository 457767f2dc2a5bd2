"""Checks of what a caller passes: a network, images and classes; one sentence each."""

from typing import Any

import torch
from torch import Tensor

from vitrail.backbones.backbone import Backbone
from vitrail.errors import BadSetting
from vitrail.images import check_intensities
from vitrail.validation import describe


def check_network(model: Any) -> None:
    """Raises `BadSetting` unless `model` is a `Backbone`."""
    if not isinstance(model, Backbone):
        raise BadSetting(
            f"A network must be a Backbone; got {type(model).__name__}. "
            "Use vitrail.load(NAME), or Backbone.wrap(...) of your own model."
        )


def check_images(model: Any, images: Any) -> None:
    """Raises `BadSetting` unless `images` are ones that `model`, a `Backbone`, takes: RGB, float, in [0, 1]."""
    check_network(model)
    model.check_images(images)
    if torch.is_inference_mode_enabled() or images.is_inference():
        raise BadSetting("Gradients are needed; got torch.inference_mode(). Use images and calls outside of it.")
    check_intensities(images)


def check_classes(name: str, values: Any, count: int | None = None) -> None:
    """Raises `BadSetting` unless `values` are class indices, (N,).

    Args:
        name: of the argument, for the message.
        count: of images; None: any number.
    """
    if not isinstance(values, Tensor) or values.ndim != 1 or values.dtype not in (torch.int64, torch.int32):
        raise BadSetting(f"{name} must be a tensor (N,) of int64, a class index each; got {describe(values)}.")
    if count is not None and len(values) != count:
        raise BadSetting(f"Every image needs one class in {name}; got {len(values)} for {count} images.")


def check_maps(maps: Any, images: Tensor) -> None:
    """Raises `BadSetting` unless `maps` are (N, H, W), finite, of these images."""
    wanted = (len(images), *images.shape[2:])
    if not isinstance(maps, Tensor) or tuple(maps.shape) != wanted or not maps.is_floating_point():
        raise BadSetting(f"maps must be a tensor {wanted} of floats, one for each image; got {describe(maps)}.")
    if not maps.isfinite().all():
        raise BadSetting(f"maps must be finite; got {int((~maps.isfinite()).sum())} values that are not.")
