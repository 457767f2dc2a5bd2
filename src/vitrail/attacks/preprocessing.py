"""A network with its preprocessing before it, so that an attack works on the pixels of an image of any size.

Resizing and cropping are those of `vitrail.images.read_image`, in float and differentiable; `classify_as_saved` gives
the exact logits of pixels as they would be saved and read.
"""

import io

import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from vitrail.backbones.backbone import Backbone
from vitrail.images import MAX_OVERSCAN, read_pixels, resized_size, to_hwc, to_unit
from vitrail.preprocessing import Preprocessing
from vitrail.tensors import Logits, Pixels


class WithPreprocessing(Backbone):
    """A `Backbone` on (N, 3, H, W) of any size; shares the weights of the original."""

    def _run(self, images: Tensor) -> Tensor:
        return super()._run(_preprocess(images, self))


def with_preprocessing(model: Backbone) -> WithPreprocessing:
    """The network with differentiable preprocessing; layers, classes and weights are shared."""
    network = WithPreprocessing(model.network, model.description, weights_sha256=model.weights_sha256)
    return network.to(model.mean.device)


def classify_as_saved(model: Backbone, pixels: Pixels) -> Logits:
    """Logits of these pixels as if saved as PNG and read with the network's preprocessing, (N, K)."""
    preprocessing, (height, width) = model.preprocessing, pixels.shape[2:]
    new_width, new_height = resized_size((width, height), preprocessing.short_side)
    if new_width * new_height > MAX_OVERSCAN * preprocessing.size**2:  # so long an image is read by other means
        return _logits(model, torch.stack([_read(image, preprocessing) for image in pixels]))
    # A fourth channel, channels last: the layout in which files are resized.
    four = F.pad(pixels, (0, 0, 0, 0, 0, 1)).contiguous(memory_format=torch.channels_last)
    return _logits(model, _preprocess(four, model)[:, :3].contiguous())


def _logits(model: Backbone, pixels: Pixels) -> Logits:
    with torch.no_grad():
        logits: Tensor = model(to_unit(pixels))
    return logits


def _read(image: Tensor, preprocessing: Preprocessing) -> Tensor:
    """Pixels (3, H, W), encoded as PNG and decoded."""
    file = io.BytesIO()
    Image.fromarray(to_hwc(image)).save(file, "PNG", compress_level=0)
    pixels = read_pixels(
        file.getvalue(),
        short_side=preprocessing.short_side,
        crop=preprocessing.size,
        interpolation=preprocessing.interpolation,
    )
    return pixels.to(image.device)


def _preprocess(images: Tensor, model: Backbone) -> Tensor:
    preprocessing = model.preprocessing
    height, width = images.shape[2:]
    new_width, new_height = resized_size((width, height), preprocessing.short_side)
    if (new_width, new_height) != (width, height):
        images = F.interpolate(images, size=(new_height, new_width), mode=preprocessing.interpolation, antialias=True)
    left, top = (round((side - preprocessing.size) / 2) for side in (new_width, new_height))
    return images[:, :, top : top + preprocessing.size, left : left + preprocessing.size]
