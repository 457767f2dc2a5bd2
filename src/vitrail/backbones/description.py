"""What a network expects of its input, and what its parts are called."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from vitrail.preprocessing import Preprocessing


@dataclass(frozen=True, kw_only=True)
class Description:
    """What a network expects, and what its parts are called.

    Args:
        mean, std: per colour channel (red, green, blue), of images in [0, 1].
        feature_layers: layers worth trying as features, shallow to deep; the last is the default.
        layer_names: public layer name -> path of the module, `:input` behind it for what goes into
            that module; empty: the layers are called as their modules are.
        classes: what the network's outputs stand for; None: the 1,000 classes of ImageNet.
        licence: terms of the weights, one sentence.
    """

    name: str
    preprocessing: Preprocessing
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    feature_layers: tuple[str, ...]
    layer_names: Mapping[str, str] = field(default_factory=dict)
    classes: tuple[str, ...] | None = None
    licence: str = ""
