"""Networks of torchvision with its best ImageNet-1k weights, downloaded to torch's own cache on first use.

What torchvision's weight enums say about pictures and files is written down here, so that a run whose
features are cached needs no torchvision; a test holds every line against the enum. To add a network of
torchvision: a line here and one in `BACKBONES`.
"""

from functools import partial

from vitrail.backbones.caffe_names import ALEXNET, SQUEEZENET, VGG16
from vitrail.backbones.recipe import Preparation, Recipe
from vitrail.backbones.sources import Online

_recipe = partial(
    Recipe,
    mean=(0.485, 0.456, 0.406),
    std=(0.229, 0.224, 0.225),
    licence=(
        "BSD-3-Clause (torchvision). Trained on ImageNet, whose pictures are for non-commercial research; "
        "whether weights inherit that is unsettled."
    ),
)


def _online(file: str) -> Online:
    return Online(f"https://download.pytorch.org/models/{file}")


# Simonyan & Zisserman, 2014, https://arxiv.org/abs/1409.1556
vgg16 = _recipe(
    name="vgg16",
    network="torchvision.models:vgg16",
    source=_online("vgg16-397923af.pth"),
    preparation=Preparation(256, 224),
    layer_names=VGG16,
    feature_layers=("pool4", "pool5", "relu6", "relu7"),
)

# Krizhevsky, 2014, https://arxiv.org/abs/1404.5997
alexnet = _recipe(
    name="alexnet",
    network="torchvision.models:alexnet",
    source=_online("alexnet-owt-7be5be79.pth"),
    preparation=Preparation(256, 224),
    layer_names=ALEXNET,
    feature_layers=("relu3", "relu4", "pool5", "relu6", "relu7"),
)

# Iandola et al., 2016, https://arxiv.org/abs/1602.07360
squeezenet1_1 = _recipe(
    name="squeezenet1_1",
    network="torchvision.models:squeezenet1_1",
    source=_online("squeezenet1_1-b8a52dc0.pth"),
    preparation=Preparation(256, 224),
    layer_names=SQUEEZENET,
    feature_layers=("fire5", "fire7", "fire8", "fire9"),
)

# He et al., 2015, https://arxiv.org/abs/1512.03385
resnet18 = _recipe(
    name="resnet18",
    network="torchvision.models:resnet18",
    source=_online("resnet18-f37072fd.pth"),
    preparation=Preparation(256, 224),
    feature_layers=("layer2", "layer3", "layer4"),
)
resnet50 = _recipe(
    name="resnet50",
    network="torchvision.models:resnet50",
    source=_online("resnet50-11ad3fa6.pth"),
    preparation=Preparation(232, 224),
    feature_layers=("layer2", "layer3", "layer4"),
)

# Howard et al., 2019, https://arxiv.org/abs/1905.02244
mobilenet_v3_large = _recipe(
    name="mobilenet_v3_large",
    network="torchvision.models:mobilenet_v3_large",
    source=_online("mobilenet_v3_large-5c1a4163.pth"),
    preparation=Preparation(232, 224),
    feature_layers=("features.6", "features.12", "features.16", "classifier.1"),
)

# Liu et al., 2022, https://arxiv.org/abs/2201.03545
convnext_tiny = _recipe(
    name="convnext_tiny",
    network="torchvision.models:convnext_tiny",
    source=_online("convnext_tiny-983f1562.pth"),
    preparation=Preparation(236, 224),
    feature_layers=("features.3", "features.5", "features.7"),
)

# Dosovitskiy et al., 2020, https://arxiv.org/abs/2010.11929
vit_b_16 = _recipe(
    name="vit_b_16",
    network="torchvision.models:vit_b_16",
    source=_online("vit_b_16-c867db91.pth"),
    preparation=Preparation(256, 224),
    feature_layers=("encoder.layers.encoder_layer_5", "encoder.layers.encoder_layer_8", "encoder.ln"),
)
