"""Networks of torchvision, with its own weights and preparation (https://docs.pytorch.org/vision/stable/models.html).

Importing this module imports torchvision.
"""

from collections.abc import Mapping
from typing import Any

from torchvision import models

from vitrail.backbones.caffe_names import ALEXNET, VGG16
from vitrail.backbones.sources import Online
from vitrail.backbones.spec import BackboneSpec
from vitrail.preprocessing import Preprocessing

IMAGENET_TERMS = "BSD-3-Clause (torchvision); whether weights inherit ImageNet's non-commercial terms is unsettled"


def spec(name: str, weights: Any, feature_layers: tuple[str, ...], layer_names: Mapping[str, str] = {}) -> BackboneSpec:
    """The recipe of one of torchvision's weight enums."""
    transforms = weights.transforms()
    return BackboneSpec(
        name=name,
        preprocessing=Preprocessing(transforms.resize_size[0], transforms.crop_size[0], transforms.interpolation.value),
        mean=tuple(transforms.mean),
        std=tuple(transforms.std),
        feature_layers=feature_layers,
        layer_names=layer_names,
        licence=IMAGENET_TERMS,
        network=f"torchvision.models:{models.get_model_builder(_function(weights)).__name__}",
        source=Online(weights.url),
    )


def _function(weights: Any) -> str:
    return type(weights).__name__.removesuffix("_Weights").lower()


vgg16 = spec("vgg16", models.VGG16_Weights.IMAGENET1K_V1, ("pool4", "pool5", "relu6", "relu7"), VGG16)
"""VGG16 of torchvision (Simonyan and Zisserman, 2015, https://arxiv.org/abs/1409.1556)."""

alexnet = spec("alexnet", models.AlexNet_Weights.IMAGENET1K_V1, ("pool5", "relu6", "relu7"), ALEXNET)
"""AlexNet of torchvision (Krizhevsky, 2014, https://arxiv.org/abs/1404.5997)."""

squeezenet1_1 = spec(
    "squeezenet1_1", models.SqueezeNet1_1_Weights.IMAGENET1K_V1, ("features.9", "features.10", "features.12")
)
"""SqueezeNet 1.1 of torchvision (Iandola et al., 2016, https://arxiv.org/abs/1602.07360)."""

resnet18 = spec("resnet18", models.ResNet18_Weights.IMAGENET1K_V1, ("layer2", "layer3", "layer4"))
"""ResNet-18 of torchvision (He et al., 2016, https://arxiv.org/abs/1512.03385)."""

resnet50 = spec("resnet50", models.ResNet50_Weights.IMAGENET1K_V2, ("layer2", "layer3", "layer4"))
"""ResNet-50 of torchvision, second weights (He et al., 2016, https://arxiv.org/abs/1512.03385)."""

mobilenet_v3 = spec(
    "mobilenet_v3", models.MobileNet_V3_Large_Weights.IMAGENET1K_V2, ("features.12", "features.15", "features.16")
)
"""MobileNetV3-Large of torchvision (Howard et al., 2019, https://arxiv.org/abs/1905.02244)."""

convnext_tiny = spec(
    "convnext_tiny", models.ConvNeXt_Tiny_Weights.IMAGENET1K_V1, ("features.3", "features.5", "features.7")
)
"""ConvNeXt-Tiny of torchvision (Liu et al., 2022, https://arxiv.org/abs/2201.03545)."""

vit_b_16 = spec("vit_b_16", models.ViT_B_16_Weights.IMAGENET1K_V1, ("encoder.layers.encoder_layer_8", "encoder.ln"))
"""Vision Transformer ViT-B/16 of torchvision (Dosovitskiy et al., 2021, https://arxiv.org/abs/2010.11929)."""
