"""A network with its preprocessing before it, so that an attack works on the pixels of an image of any size.

Resizing and cropping are those of `vitrail.images.read_image`, in float and differentiable; `classify_as_saved` gives
the exact logits of pixels as they would be saved and read.
"""

import io
import math

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


class OnBlockMeans(Backbone):
    """A `Backbone` on the means of an image's blocks, (1, 3, h, w), which sees what it sees of the whole image.

    Preprocessing is linear, row by row and column by column. Of blocks that change as a whole it is a product with two
    small matrices, and what differs within the blocks stays as it is.

    Attributes:
        rows, columns: (size, h) and (size, w): from block means to what the network sees.
        rest: (1, 3, size, size), what the network sees beyond the block means.
    """

    rows: Tensor
    columns: Tensor
    rest: Tensor

    def _run(self, images: Tensor) -> Tensor:
        return super()._run(self.rows @ images @ self.columns.T + self.rest)


@torch.no_grad()
def on_block_means(model: Backbone, pixels: Pixels, means: Tensor, side: int) -> OnBlockMeans:
    """The network on the means (1, 3, h, w) uint8 of blocks of `side` x `side` pixels of one image."""
    device = model.mean.device
    network = OnBlockMeans(model.network, model.description, weights_sha256=model.weights_sha256).to(device)
    height, width = pixels.shape[2:]
    new_width, new_height = resized_size((width, height), model.preprocessing.short_side)
    network.rows = _block_matrix(height, new_height, means.shape[2], side, model.preprocessing).to(device)
    network.columns = _block_matrix(width, new_width, means.shape[3], side, model.preprocessing).to(device)
    network.rest = to_unit(_as_read(model, pixels)) - network.rows @ to_unit(means) @ network.columns.T
    return network


def _block_matrix(length: int, resized: int, count: int, side: int, preprocessing: Preprocessing) -> Tensor:
    """(size, count): how blocks of a line of `length` pixels make the pixels of the resized and cropped line."""
    window, weights = _line_weights(length, resized, preprocessing)
    return weights @ torch.eye(count).repeat_interleave(side, 0)[window]


def _line_weights(length: int, resized: int, preprocessing: Preprocessing) -> tuple[slice, Tensor]:
    """How a line of `length` pixels makes the pixels of the resized and cropped line, as torch weighs them.

    Returns:
        The pixels that are used, and the weight (size, pixels) of each.
    """
    scale = length / resized
    stretch = max(1.0, scale)
    start = round((resized - preprocessing.size) / 2)
    centres = (start + torch.arange(preprocessing.size, dtype=torch.float64) + 0.5) * scale - 0.5
    reach = 2 * stretch  # of the cubic kernel, the widest
    window = slice(max(0, math.ceil(centres[0] - reach)), min(length, math.floor(centres[-1] + reach) + 1))
    distances = (torch.arange(window.start, window.stop) - centres[:, None]).abs() / stretch
    weights = _KERNELS[preprocessing.interpolation](distances)
    return window, (weights / weights.sum(1, keepdim=True)).float()


def _triangle(x: Tensor) -> Tensor:
    return (1 - x).clamp(min=0)


def _cubic(x: Tensor) -> Tensor:
    """Keys (1981), with a = -1/2."""
    near = (1.5 * x - 2.5) * x * x + 1
    far = ((-0.5 * x + 2.5) * x - 4) * x + 2
    return torch.where(x < 1, near, torch.where(x < 2, far, 0))


_KERNELS = {"bilinear": _triangle, "bicubic": _cubic}


def classify_as_saved(model: Backbone, pixels: Pixels) -> Logits:
    """Logits of these pixels as if saved as PNG and read with the network's preprocessing, (N, K)."""
    with torch.no_grad():
        logits: Tensor = model(to_unit(_as_read(model, pixels)))
    return logits


def _as_read(model: Backbone, pixels: Tensor) -> Tensor:
    """Pixels (N, 3, size, size) uint8 of the network's size, as if saved and read."""
    preprocessing, (height, width) = model.preprocessing, pixels.shape[2:]
    new_width, new_height = resized_size((width, height), preprocessing.short_side)
    if new_width * new_height > MAX_OVERSCAN * preprocessing.size**2:  # so long an image is read by other means
        return torch.stack([_read(image, preprocessing) for image in pixels])
    # A fourth channel, channels last: the layout in which files are resized.
    four = pixels.new_zeros(len(pixels), height, width, 4)
    four[..., :3] = pixels.movedim(1, -1)
    return _preprocess(four.movedim(-1, 1), model)[:, :3].contiguous()


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
    if new_width * new_height > MAX_OVERSCAN * preprocessing.size**2:  # the whole would be many times what is used
        rows, down = _line_weights(height, new_height, preprocessing)
        columns, across = _line_weights(width, new_width, preprocessing)
        return down.to(images) @ images[:, :, rows, columns] @ across.to(images).T
    if (new_width, new_height) != (width, height):
        images = F.interpolate(images, size=(new_height, new_width), mode=preprocessing.interpolation, antialias=True)
    left, top = (round((side - preprocessing.size) / 2) for side in (new_width, new_height))
    return images[:, :, top : top + preprocessing.size, left : left + preprocessing.size]
