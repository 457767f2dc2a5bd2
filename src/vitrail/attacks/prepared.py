"""A network that takes pictures of any size, so that an attack works on the picture's own pixels.

Resizing and cropping are those of `vitrail.images.read_picture`, in float and differentiable; `judge` gives the exact
answer for pixels as they would be saved and read.
"""

import io

import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from vitrail.backbones.backbone import Backbone
from vitrail.backbones.recipe import Preparation
from vitrail.images import WASTE, read_picture, resized_size, to_unit
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
    how, (height, width) = backbone.preparation, pixels.shape[2:]
    wide, high = resized_size((width, height), how.short_side)
    if wide * high > WASTE * how.size**2:  # reading makes only the middle of so long a picture, by other means
        return _said(backbone, torch.stack([_read(picture, how) for picture in pixels]))
    four = F.pad(pixels, (0, 0, 0, 0, 0, 1)).contiguous(memory_format=torch.channels_last)  # as files are resized
    return _said(backbone, _framed(four, backbone)[:, :3].contiguous())


def _said(backbone: Backbone, pixels: Pixels) -> Logits:
    with torch.no_grad():
        logits: Tensor = backbone(to_unit(pixels))
    return logits


def _read(picture: Tensor, how: Preparation) -> Tensor:
    """Pixels (3, H, W) after a way through a PNG file."""
    file = io.BytesIO()
    Image.fromarray(picture.permute(1, 2, 0).cpu().numpy()).save(file, "PNG", compress_level=0)
    read = read_picture(file.getvalue(), short_side=how.short_side, crop=how.size, interpolation=how.interpolation)
    return read.to(picture.device)


def _framed(images: Tensor, backbone: Backbone) -> Tensor:
    preparation = backbone.preparation
    height, width = images.shape[2:]
    wide, high = resized_size((width, height), preparation.short_side)
    if (wide, high) != (width, height):
        images = F.interpolate(images, size=(high, wide), mode=preparation.interpolation, antialias=True)
    left, top = (round((side - preparation.size) / 2) for side in (wide, high))
    return images[:, :, top : top + preparation.size, left : left + preparation.size]
