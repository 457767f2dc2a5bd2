"""EfficientNet-Lite0: MobileNet's inverted residuals, scaled, without squeeze-and-excitation.

Tan and Le, 2019, https://arxiv.org/abs/1905.11946; the Lite variants:
https://github.com/tensorflow/tpu/tree/master/models/official/efficientnet/lite
"""

from collections import OrderedDict
from collections.abc import Mapping

import torch.nn.functional as F
from torch import Tensor, nn

STAGES = (  # kernel, stride, expansion, channels, blocks
    (3, 1, 1, 16, 1),
    (3, 2, 6, 24, 2),
    (5, 2, 6, 40, 2),
    (3, 2, 6, 80, 3),
    (5, 1, 6, 112, 3),
    (5, 2, 6, 192, 4),
    (3, 1, 6, 320, 1),
)
STEM, HEAD, CLASSES = 32, 1280, 1000


class SameConv2d(nn.Conv2d):
    """A convolution padded as TensorFlow pads: an odd pixel goes to the right and the bottom."""

    def forward(self, input: Tensor) -> Tensor:
        """(N, C, H, W) to (N, C', ceil(H / stride), ceil(W / stride))."""
        height, width = (
            max((-(-side // stride) - 1) * stride + kernel - side, 0)
            for side, stride, kernel in zip(map(int, input.shape[2:]), self.stride, self.kernel_size, strict=True)
        )
        if not height % 2 and not width % 2:  # evenly padded: no copy of the input is needed
            padding = (height // 2, width // 2)
            return F.conv2d(input, self.weight, self.bias, self.stride, padding, self.dilation, self.groups)
        padded = F.pad(input, (width // 2, width - width // 2, height // 2, height - height // 2))
        return super().forward(padded)


def unit(inside: int, outside: int, kernel: int = 1, *, stride: int = 1, groups: int = 1) -> list[nn.Module]:
    """A convolution and its batch normalisation."""
    convolution = SameConv2d(inside, outside, kernel, stride, groups=groups, bias=False)
    return [convolution, nn.BatchNorm2d(outside, eps=1e-3)]


class InvertedResidual(nn.Module):
    """Widen, filter each channel alone, narrow; the input is added where the shapes agree."""

    def __init__(self, inside: int, outside: int, *, kernel: int, stride: int, expansion: int) -> None:
        super().__init__()
        wide = inside * expansion
        widen = [*unit(inside, wide), nn.ReLU6()] if expansion > 1 else []
        filter_each = [*unit(wide, wide, kernel, stride=stride, groups=wide), nn.ReLU6()]
        self.path = nn.Sequential(*widen, *filter_each, *unit(wide, outside))
        self.adds = stride == 1 and inside == outside

    def forward(self, input: Tensor) -> Tensor:
        """(N, inside, H, W) to (N, outside, H / stride, W / stride)."""
        output: Tensor = self.path(input)
        return input + output if self.adds else output


def network() -> nn.Module:
    """EfficientNet-Lite0 without weights: normalised images (N, 3, 224, 224) to logits (N, 1000)."""
    parts: OrderedDict[str, nn.Module] = OrderedDict(stem=nn.Sequential(*unit(3, STEM, 3, stride=2), nn.ReLU6()))
    inside = STEM
    for number, (kernel, stride, expansion, outside, blocks) in enumerate(STAGES, start=1):
        stage = nn.Sequential()
        for block in range(blocks):
            step = stride if block == 0 else 1
            stage.append(InvertedResidual(inside, outside, kernel=kernel, stride=step, expansion=expansion))
            inside = outside
        parts[f"stage{number}"] = stage
    parts["head"] = nn.Sequential(*unit(inside, HEAD), nn.ReLU6())
    parts["pool"] = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())
    parts["classifier"] = nn.Linear(HEAD, CLASSES)
    return nn.Sequential(parts)


def from_package(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The package's tensors under our names: it has the same ones in the same order.

    Args:
        state: by the package's names (`_conv_stem.weight`); under our own names it is given back as it is.
    """
    names = network().state_dict()
    if "_conv_stem.weight" not in state or len(state) != len(names):  # what is missing is told by whoever loads it
        return dict(state)
    return dict(zip(names, state.values(), strict=True))
