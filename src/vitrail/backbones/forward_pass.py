"""The forward pass of a network as one module, and as one function of pixels."""

import copy
from collections.abc import Callable, Sequence
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from vitrail.backbones.backbone import Backbone

M = TypeVar("M", bound=nn.Module)
Forward = Callable[[np.ndarray], list[np.ndarray]]
"""(k · B, 3, H, W) uint8, of batches of the B that it was built for, to float32 arrays (k · B, ...)."""


class PooledFeatures(nn.Module):
    """Pixels of 8 bits in, one row per layer out: the whole pass as one module that can be traced."""

    def __init__(self, backbone: Backbone, layers: Sequence[str]) -> None:
        super().__init__()
        self.backbone = backbone
        self.layers = tuple(layers)

    def forward(self, pixels: Tensor) -> tuple[Tensor, ...]:
        """(N, 3, H, W) uint8 to one (N, D) per layer."""
        features = self.backbone.features(pixels.float() / 255, self.layers)
        return tuple(features[layer] for layer in self.layers)


class Trunk(nn.Module):
    """Pixels of 8 bits in, what one layer gives out, as it is."""

    def __init__(self, backbone: Backbone, cut: str) -> None:
        super().__init__()
        self.backbone, self.cut = backbone, cut

    def forward(self, pixels: Tensor) -> tuple[Tensor]:
        """(N, 3, H, W) uint8 to one (N, ...)."""
        return (self.backbone.trunk(pixels.float() / 255, self.cut),)


def torch_forward(module: nn.Module, size: int, device: str = "cpu") -> Forward:
    """The forward pass of a module that lies on `device`, in batches of `size`."""

    def forward(pixels: np.ndarray) -> list[np.ndarray]:
        batches = []
        for start in range(0, len(pixels), size):
            tensor = torch.from_numpy(pixels[start : start + size]).to(device)
            with torch.inference_mode():
                rows = module(tensor.contiguous(memory_format=torch.channels_last))
            batches.append([each.float().cpu().numpy() for each in rows])
        return joined(batches)

    return forward


def joined(batches: Sequence[Sequence[np.ndarray]]) -> list[np.ndarray]:
    """The outputs of consecutive batches, each in one array."""
    return [np.concatenate(rows) if len(rows) > 1 else rows[0] for rows in zip(*batches, strict=True)]


def fold_batch_norms(module: nn.Module) -> nn.Module:
    """Puts every batch normalisation that follows a convolution into it; changes `module` and returns it.

    Only inside `nn.Sequential`, where what follows what is certain.
    """
    for parent in module.modules():
        if not isinstance(parent, nn.Sequential):
            continue
        names = list(parent._modules)
        for first, second in zip(names, names[1:], strict=False):
            convolution, norm = parent._modules[first], parent._modules[second]
            if isinstance(convolution, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d):
                parent._modules[first] = fuse_conv_bn_eval(convolution, norm)
                parent._modules[second] = nn.Identity()
    return module


def optimised_copy(module: M) -> M:
    """Batch normalisations folded into the convolutions before them, kernels stored channels-last; float32 as before.

    Of a `Backbone`, layers keep their names, classes and weights' checksum. The module given is not touched.
    """
    fast = copy.deepcopy(module)
    fold_batch_norms(fast)
    return fast.to(memory_format=torch.channels_last)
