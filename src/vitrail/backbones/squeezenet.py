"""SqueezeNet 1.1 with its authors' Caffe weights (Iandola et al., 2016, https://arxiv.org/abs/1602.07360)."""

from collections import OrderedDict
from collections.abc import Mapping
from functools import partial

import torch
from torch import Tensor, nn

from vitrail.backbones.caffe_names import SQUEEZENET
from vitrail.errors import BadWeights

CLASSES = 1000


class Fire(nn.Module):
    """Few channels between wide ones: squeezed by 1x1 kernels, expanded by 1x1 and 3x3 ones side by side."""

    def __init__(self, inside: int, squeezed: int, expanded: int) -> None:
        super().__init__()
        self.squeeze = nn.Conv2d(inside, squeezed, 1)
        self.expand1x1 = nn.Conv2d(squeezed, expanded, 1)
        self.expand3x3 = nn.Conv2d(squeezed, expanded, 3, padding=1)

    def forward(self, input: Tensor) -> Tensor:
        """(N, inside, H, W) to (N, 2 * expanded, H, W), never negative."""
        squeezed = self.squeeze(input).relu()
        return torch.cat([self.expand1x1(squeezed), self.expand3x3(squeezed)], dim=1).relu()


def network() -> nn.Module:
    """SqueezeNet 1.1 without weights, its tensors named as torchvision names them: images to logits (N, 1000)."""
    pool = partial(nn.MaxPool2d, 3, 2, ceil_mode=True)  # Caffe rounds up
    features = nn.Sequential(
        *(nn.Conv2d(3, 64, 3, stride=2), nn.ReLU(), pool()),
        *(Fire(64, 16, 64), Fire(128, 16, 64), pool()),
        *(Fire(128, 32, 128), Fire(256, 32, 128), pool()),
        *(Fire(256, 48, 192), Fire(384, 48, 192), Fire(384, 64, 256), Fire(512, 64, 256)),
    )
    classifier = nn.Sequential(
        nn.Dropout(), nn.Conv2d(512, CLASSES, 1), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()
    )
    return nn.Sequential(OrderedDict(features=features, classifier=classifier))


def from_caffe(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Caffe's tensors as the network's state.

    Caffe keeps kernels as (height, width, in, out) and expects blue, green, red: the flip goes into the
    first layer, so that the network takes RGB as all others do.

    Args:
        state: by Caffe's names (`fire2/squeeze1x1.weight`).

    Raises:
        BadWeights: other names. torchvision's weights have the same shapes, but expect other images.
    """
    if "fire2/squeeze1x1.weight" not in state:
        raise BadWeights(
            f"'squeezenet' takes Caffe's tensors (conv1.weight, fire2/squeeze1x1.weight), not {next(iter(state))!r}: "
            "for torchvision's weights choose the backbone 'squeezenet1_1'."
        )
    translated = {}
    for caffe_name, tensor in state.items():
        layer, _, kind = caffe_name.rpartition(".")
        translated[f"{SQUEEZENET.get(layer, layer)}.{kind}"] = (
            tensor.permute(3, 2, 0, 1).contiguous() if kind == "weight" and tensor.ndim == 4 else tensor
        )
    first = f"{SQUEEZENET['conv1']}.weight"
    if first in translated and translated[first].ndim == 4:
        translated[first] = translated[first].flip(1)
    return translated
