"""Guided backpropagation (Springenberg et al., 2015, https://arxiv.org/abs/1412.6806)."""

from collections.abc import Iterable, Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.overrides import TorchFunctionMode

from vitrail.attributions.batching import map_images, resolve_targets
from vitrail.attributions.gradient_pass import largest_channel
from vitrail.backbones.backbone import Backbone
from vitrail.errors import BadSetting
from vitrail.image_ascent import MEMORY, class_score, input_gradient
from vitrail.tensors import Images, Labels, Maps

RECTIFIERS = {F.relu, F.relu6, F.hardtanh, torch.relu, torch.relu_, Tensor.relu, Tensor.relu_}


def guided_backprop(model: Backbone, images: Images, targets: Labels | None = None, *, memory: int = MEMORY) -> Maps:
    """Like `gradient`, but in the backward pass every ReLU also sets negative gradients to 0.

    ReLUs are found as modules and as functions. The map changes little when the network's weights are random
    (Adebayo et al., 2018); `randomisation_test` measures how little.

    Args:
        targets: (N,), the classes to explain; default: the likeliest of each image.
        memory: bytes per batch.

    Returns:
        (N, H, W), largest absolute value over the three channels; never negative.

    Raises:
        BadSetting: a target is not in [0, classes), or the network has no ReLU.
    """

    def work(x: Images, y: Labels) -> Maps:
        with Guided() as guided:
            gradient = input_gradient(model, x, class_score(y)).gradient
        if not guided.relu_count:
            raise BadSetting(
                f"Guided backpropagation needs ReLUs, and {model.name!r} has none. "
                "Use 'gradient' or 'integrated-gradients'."
            )
        return largest_channel(gradient)

    resolved = resolve_targets(model, images, targets, memory=memory)
    return map_images(model, images, resolved, work, memory=memory)


class Guided(TorchFunctionMode):
    """A context in which gradients at the output of a ReLU are rectified; the network is not changed.

    Attributes:
        relu_count: how many ReLUs have run, as modules or as functions.
    """

    relu_count = 0

    def __torch_function__(
        self, func: Any, types: Iterable[type], args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        output = func(*args, **(kwargs or {}))
        if func in RECTIFIERS and _rectifies(func, args, kwargs or {}):
            self.relu_count += 1
            if output.requires_grad:
                output.register_hook(F.relu)  # part of the graph, and freed with it
        return output


def _rectifies(func: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> bool:
    """Hardtanh, which is what ReLU6 calls, only if it starts at 0."""
    return func is not F.hardtanh or (args[1] if len(args) > 1 else kwargs.get("min_val", -1.0)) == 0
