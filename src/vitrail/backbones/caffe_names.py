"""What Caffe called the layers of its networks, and where torchvision keeps them."""

from collections.abc import Iterator


def _squeezenet() -> Iterator[tuple[str, str]]:
    yield "conv1", "features.0"
    for fire, index in zip(range(2, 10), (3, 4, 6, 7, 9, 10, 11, 12), strict=True):
        for caffe, torchvision in (("squeeze1x1", "squeeze"), ("expand1x1", "expand1x1"), ("expand3x3", "expand3x3")):
            yield f"fire{fire}/{caffe}", f"features.{index}.{torchvision}"
        yield f"fire{fire}", f"features.{index}"
    yield "conv10", "classifier.1"


def _vgg16() -> Iterator[tuple[str, str]]:
    index = 0
    for block, convolutions in enumerate((2, 2, 3, 3, 3), start=1):
        for number in range(1, convolutions + 1):
            yield f"conv{block}_{number}", f"features.{index}"
            yield f"relu{block}_{number}", f"features.{index + 1}"
            index += 2
        yield f"pool{block}", f"features.{index}"
        index += 1
    yield from _dense(fc6=0, fc7=3, fc8=6)


def _alexnet() -> Iterator[tuple[str, str]]:
    names = ("conv1", "relu1", "pool1", "conv2", "relu2", "pool2", "conv3", "relu3", "conv4", "relu4", "conv5")
    yield from ((name, f"features.{index}") for index, name in enumerate((*names, "relu5", "pool5")))
    yield from _dense(fc6=1, fc7=4, fc8=6)


def _dense(*, fc6: int, fc7: int, fc8: int) -> Iterator[tuple[str, str]]:
    yield "fc6", f"classifier.{fc6}"
    yield "relu6", f"classifier.{fc6 + 1}"
    yield "fc7", f"classifier.{fc7}"
    yield "relu7", f"classifier.{fc7 + 1}"
    yield "fc8", f"classifier.{fc8}"


SQUEEZENET = dict(_squeezenet())
VGG16 = dict(_vgg16())
ALEXNET = dict(_alexnet())
