"""A network that takes images of any size, so that an attack works on the image's own pixels.

Resizing and cropping are those of `vitrail.images.read_image`, in float and differentiable; `judge` gives the exact
answer for pixels as they would be saved and read.
"""

import io

import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from vitrail.backbones.backbone import Backbone
from vitrail.images import MAX_OVERSCAN, read_pixels, resized_size, to_unit
from vitrail.preprocessing import Preprocessing
from vitrail.tensors import Logits, Pixels

Size = tuple[int, int]


class Prepared(Backbone):
    """A `Backbone` on (N, 3, H, W) of any size; shares its weights with the one given."""

    def _run(self, images: Tensor) -> Tensor:
        return super()._run(_framed(images, self))


def prepared(backbone: Backbone) -> Prepared:
    """The network with its preparation before it; layers, classes and weights are the same ones."""
    made = Prepared(backbone.network, backbone.description, weights_sha256=backbone.weights_sha256)
    return made.to(backbone.mean.device)


def judge(backbone: Backbone, pixels: Pixels) -> Logits:
    """What the network says of these pixels once they were saved as PNG and read as its preparation says, (N, K)."""
    how, (height, width) = backbone.preprocessing, pixels.shape[2:]
    wide, high = resized_size((width, height), how.short_side)
    if wide * high > MAX_OVERSCAN * how.size**2:  # reading makes only the middle of so long an image, by other means
        return _said(backbone, torch.stack([_read(image, how) for image in pixels]))
    four = F.pad(pixels, (0, 0, 0, 0, 0, 1)).contiguous(memory_format=torch.channels_last)  # as files are resized
    return _said(backbone, _framed(four, backbone)[:, :3].contiguous())


def _said(backbone: Backbone, pixels: Pixels) -> Logits:
    with torch.no_grad():
        logits: Tensor = backbone(to_unit(pixels))
    return logits


def _read(image: Tensor, how: Preprocessing) -> Tensor:
    """Pixels (3, H, W) after a way through a PNG file."""
    file = io.BytesIO()
    Image.fromarray(image.permute(1, 2, 0).cpu().numpy()).save(file, "PNG", compress_level=0)
    read = read_pixels(file.getvalue(), short_side=how.short_side, crop=how.size, interpolation=how.interpolation)
    return read.to(image.device)


def _framed(images: Tensor, backbone: Backbone) -> Tensor:
    preprocessing = backbone.preprocessing
    height, width = images.shape[2:]
    wide, high = resized_size((width, height), preprocessing.short_side)
    if (wide, high) != (width, height):
        images = F.interpolate(images, size=(high, wide), mode=preprocessing.interpolation, antialias=True)
    left, top = (round((side - preprocessing.size) / 2) for side in (wide, high))
    return images[:, :, top : top + preprocessing.size, left : left + preprocessing.size]
