"""Guided backpropagation (Springenberg et al., 2015, https://arxiv.org/abs/1412.6806)."""

from collections.abc import Iterable, Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.overrides import TorchFunctionMode

from vitrail.attributions.look import largest_channel
from vitrail.attributions.passes import by_images
from vitrail.backbones.backbone import Backbone
from vitrail.errors import BadSetting
from vitrail.image_ascent import MEMORY, class_score, input_gradient
from vitrail.tensors import Images, Labels, Maps

RECTIFIERS = {F.relu, F.relu6, F.hardtanh, torch.relu, torch.relu_, Tensor.relu, Tensor.relu_}


def guided_backprop(backbone: Backbone, images: Images, targets: Labels, *, memory: int = MEMORY) -> Maps:
    """Like `gradient`, but on the way back every ReLU also stops what is negative.

    ReLUs are found as modules and as functions. Beware: the map changes little when the network's weights are random
    (Adebayo et al., 2018); `randomisation_check` says how little.

    Returns:
        (N, H, W), largest absolute value over the three channels; never negative.
    Raises:
        BadSetting: a target is not in [0, classes), or the network has no ReLU.
    """

    def work(x: Images, y: Labels) -> Maps:
        with Guided() as guided:
            gradient = input_gradient(backbone, x, class_score(y)).gradient
        if not guided.met:
            raise BadSetting(
                f"Guided backpropagation needs ReLUs, and {backbone.name!r} has none; "
                "'gradient' or 'integrated-gradients' would work."
            )
        return largest_channel(gradient)

    return by_images(backbone, images, targets, work, memory=memory)


class Guided(TorchFunctionMode):
    """While it is entered, gradients that come back to the output of a ReLU are rectified; the network is untouched.

    Attributes:
        met: how many ReLUs have run, as modules or as functions.
    """

    met = 0

    def __torch_function__(
        self, func: Any, types: Iterable[type], args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        output = func(*args, **(kwargs or {}))
        if func in RECTIFIERS and _rectifies(func, args, kwargs or {}):
            self.met += 1
            if output.requires_grad:
                output.register_hook(F.relu)  # lives in the graph, and goes with it
        return output


def _rectifies(func: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> bool:
    """Hardtanh, which is what ReLU6 calls, only if it starts at 0."""
    return func is not F.hardtanh or (args[1] if len(args) > 1 else kwargs.get("min_val", -1.0)) == 0
