"""EfficientNet-Lite0, EfficientNet without what phones cannot run (Tan & Le, 2019, https://arxiv.org/abs/1905.11946).

No squeeze-and-excitation, ReLU6 for swish, stem and head unscaled: see Google's release at
https://github.com/tensorflow/tpu/tree/master/models/official/efficientnet/lite. Tensor names are those of
timm's `tf_efficientnet_lite0`, so that its weights fit as well.
"""

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor, nn

# Of each stage: how many blocks, kernel size, stride of the first block, channels.
STAGES = ((1, 3, 1, 16), (2, 3, 2, 24), (2, 5, 2, 40), (3, 3, 2, 80), (3, 5, 1, 112), (4, 5, 2, 192), (1, 3, 1, 320))
STEM_CHANNELS = 32
HEAD_CHANNELS = 1280
EXPANSION = 6


class SameConv2d(nn.Conv2d):
    """A convolution padded as TensorFlow does: the odd pixel goes to the right and to the bottom."""

    def forward(self, input: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, D, ceil(H / stride), ceil(W / stride))."""
        (top, bottom), (left, right) = (
            _same_padding(length, kernel, stride)
            for length, kernel, stride in zip(input.shape[2:], self.kernel_size, self.stride, strict=True)
        )
        if (top, left) == (bottom, right):  # symmetric: the convolution pads, and nothing is copied
            return F.conv2d(input, self.weight, None, self.stride, (top, left), groups=self.groups)
        padded = F.pad(input, (left, right, top, bottom))
        return F.conv2d(padded, self.weight, None, self.stride, groups=self.groups)


class DepthwiseSeparable(nn.Module):
    """Depthwise convolution, then a projection: the first block."""

    def __init__(self, channels: int, out: int, kernel: int) -> None:
        super().__init__()
        self.conv_dw = SameConv2d(channels, channels, kernel, groups=channels, bias=False)
        self.bn1 = _norm(channels)
        self.act1 = nn.ReLU6(inplace=True)
        self.conv_pw = nn.Conv2d(channels, out, 1, bias=False)
        self.bn2 = _norm(out)

    def forward(self, images: Tensor) -> Tensor:
        """(N, channels, H, W) -> (N, out, H, W)."""
        spread: Tensor = self.act1(self.bn1(self.conv_dw(images)))
        projected: Tensor = self.bn2(self.conv_pw(spread))
        return projected


class InvertedResidual(nn.Module):
    """Expansion, depthwise convolution, projection; with a shortcut where the shape stays."""

    def __init__(self, channels: int, out: int, *, kernel: int, stride: int) -> None:
        super().__init__()
        wide = EXPANSION * channels
        self.conv_pw = nn.Conv2d(channels, wide, 1, bias=False)
        self.bn1 = _norm(wide)
        self.act1 = nn.ReLU6(inplace=True)
        self.conv_dw = SameConv2d(wide, wide, kernel, stride, groups=wide, bias=False)
        self.bn2 = _norm(wide)
        self.act2 = nn.ReLU6(inplace=True)
        self.conv_pwl = nn.Conv2d(wide, out, 1, bias=False)
        self.bn3 = _norm(out)
        self.has_shortcut = stride == 1 and channels == out

    def forward(self, images: Tensor) -> Tensor:
        """(N, channels, H, W) -> (N, out, H / stride, W / stride)."""
        wide = self.act1(self.bn1(self.conv_pw(images)))
        wide = self.act2(self.bn2(self.conv_dw(wide)))
        projected: Tensor = self.bn3(self.conv_pwl(wide))
        return projected + images if self.has_shortcut else projected


class EfficientNetLite0(nn.Module):
    """4.65 million parameters; images (N, 3, H, W) normalised to [-1, 1] -> logits (N, classes)."""

    def __init__(self, classes: int = 1000) -> None:
        super().__init__()
        self.conv_stem = SameConv2d(3, STEM_CHANNELS, 3, 2, bias=False)
        self.bn1 = _norm(STEM_CHANNELS)
        self.stem_act = nn.ReLU6(inplace=True)
        self.blocks = nn.Sequential(*_stages())
        self.conv_head = nn.Conv2d(STAGES[-1][-1], HEAD_CHANNELS, 1, bias=False)
        self.bn2 = _norm(HEAD_CHANNELS)
        self.head_act = nn.ReLU6(inplace=True)
        self.classifier = nn.Linear(HEAD_CHANNELS, classes)

    def forward(self, images: Tensor) -> Tensor:
        """Logits; 1,280 features before them are the mean of `head_act` over places."""
        stem = self.stem_act(self.bn1(self.conv_stem(images)))
        head = self.head_act(self.bn2(self.conv_head(self.blocks(stem))))
        logits: Tensor = self.classifier(head.mean(dim=(2, 3)))
        return logits


def from_package(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The packaged file's tensors under our names: it has them all, in the same order, called otherwise."""
    with torch.device("meta"):
        names = list(EfficientNetLite0().state_dict())
    if "_conv_stem.weight" not in state or len(state) != len(names):
        return dict(state)
    return dict(zip(names, state.values(), strict=True))


def _stages() -> list[nn.Module]:
    stages: list[nn.Module] = []
    channels = STEM_CHANNELS
    for repeats, kernel, stride, out in STAGES:
        if not stages:
            stages.append(nn.Sequential(DepthwiseSeparable(channels, out, kernel)))
        else:
            blocks = [InvertedResidual(channels, out, kernel=kernel, stride=stride)]
            blocks += [InvertedResidual(out, out, kernel=kernel, stride=1) for _ in range(repeats - 1)]
            stages.append(nn.Sequential(*blocks))
        channels = out
    return stages


def _norm(channels: int) -> nn.BatchNorm2d:
    return nn.BatchNorm2d(channels, eps=1e-3)


def _same_padding(length: int, kernel: int, stride: int) -> tuple[int, int]:
    """Pixels before and after, so that the output has ceil(length / stride)."""
    total = max((-(-length // stride) - 1) * stride + kernel - length, 0)
    return total // 2, total - total // 2
