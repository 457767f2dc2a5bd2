"""Pretrained networks behind one face. To add one: a recipe in a file here and a line below.

Every entry is a `BackboneSpec`: `(weights) -> Backbone`.
"""

from fnmatch import fnmatchcase

from vitrail.registry import Registry

DEFAULT_BACKBONE = "efficientnet-lite0"
"""The network of every command unless another is named."""

BACKBONES = Registry(
    "backbone",
    __name__,
    {
        "efficientnet-lite0": "packaged:efficientnet_lite0",
        "efficientnet-lite0-320": "packaged:efficientnet_lite0_320",
        "squeezenet": "packaged:squeezenet",
        "vgg16": "torchvision_models:vgg16",
        "alexnet": "torchvision_models:alexnet",
        "squeezenet1_1": "torchvision_models:squeezenet1_1",
        "resnet18": "torchvision_models:resnet18",
        "resnet50": "torchvision_models:resnet50",
        "mobilenet_v3": "torchvision_models:mobilenet_v3",
        "convnext_tiny": "torchvision_models:convnext_tiny",
        "vit_b_16": "torchvision_models:vit_b_16",
        "timm:": "timm_models:timm_spec",
    },
)


def list_backbones(pattern: str = "*") -> list[str]:
    """Names that `vitrail.load` takes, those of installed extensions among them.

    Args:
        pattern: shell pattern, as "*net*". A family of networks ends in a colon: `timm:` stands for `timm:NAME`.
    """
    return [name for name in BACKBONES if fnmatchcase(name, pattern)]
