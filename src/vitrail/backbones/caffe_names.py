"""What Caffe's model zoo called the layers of the classic networks -> torchvision's module paths.

Papers and courses name layers this way: "relu7 of VGG16" is the usual feature of 4,096 numbers.
"""


def _vgg16() -> dict[str, str]:
    names: dict[str, str] = {}
    index = 0
    for block, convolutions in enumerate((2, 2, 3, 3, 3), start=1):
        for convolution in range(1, convolutions + 1):
            names[f"conv{block}_{convolution}"] = f"features.{index}"
            names[f"relu{block}_{convolution}"] = f"features.{index + 1}"
            index += 2
        names[f"pool{block}"] = f"features.{index}"
        index += 1
    return names | {
        "fc6": "classifier.0",
        "relu6": "classifier.1",
        "fc7": "classifier.3",
        "relu7": "classifier.4",
        "fc8": "classifier.6",
    }


def _in_order(names: str, folder: str, *, first: int = 0) -> dict[str, str]:
    """The names, separated by spaces, for modules `folder.first`, `folder.first + 1` ..."""
    return {name: f"{folder}.{index}" for index, name in enumerate(names.split(), start=first)}


VGG16 = _vgg16()

ALEXNET = _in_order(
    "conv1 relu1 pool1 conv2 relu2 pool2 conv3 relu3 conv4 relu4 conv5 relu5 pool5", "features"
) | _in_order("fc6 relu6 drop6 fc7 relu7 fc8", "classifier", first=1)

_FIRES = _in_order("conv1 relu_conv1 pool1 fire2 fire3 pool3 fire4 fire5 pool5 fire6 fire7 fire8 fire9", "features")
_INSIDE_A_FIRE = {
    "squeeze1x1": "squeeze",
    "relu_squeeze1x1": "squeeze_activation",
    "expand1x1": "expand1x1",
    "relu_expand1x1": "expand1x1_activation",
    "expand3x3": "expand3x3",
    "relu_expand3x3": "expand3x3_activation",
}


def _squeezenet() -> dict[str, str]:
    names: dict[str, str] = {}
    for name, path in _FIRES.items():
        if name.startswith("fire"):
            names |= {f"{name}/{inner}": f"{path}.{module}" for inner, module in _INSIDE_A_FIRE.items()}
        names[name] = path
    return names | _in_order("conv10 relu_conv10 pool10", "classifier", first=1)


SQUEEZENET = _squeezenet()
