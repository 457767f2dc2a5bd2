"""SqueezeNet 1.1 with its authors' Caffe weights (Iandola et al., 2016, https://arxiv.org/abs/1602.07360)."""

from collections.abc import Mapping

from torch import Tensor, nn
from torchvision.models import squeezenet1_1

from vitrail.backbones.caffe_names import SQUEEZENET
from vitrail.errors import BadWeights


def network() -> nn.Module:
    """The network without weights: torchvision's module, which has Caffe's strides and rounding."""
    made: nn.Module = squeezenet1_1()
    return made


def from_caffe(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Caffe's tensors as the network's state.

    Caffe keeps kernels as (height, width, in, out) and expects blue, green, red: the flip goes into the
    first layer, so that the network takes RGB as all others do.

    Args:
        state: by Caffe's names (`fire2/squeeze1x1.weight`).

    Raises:
        BadWeights: other names. torchvision's weights have the same shapes, but expect other pictures.
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
            tensor.permute(3, 2, 0, 1).contiguous() if kind == "weight" else tensor
        )
    first = f"{SQUEEZENET['conv1']}.weight"
    translated[first] = translated[first].flip(1)
    return translated
