"""Differentiable augmentation (Zhao et al., 2020, https://arxiv.org/abs/2006.10738).

D gets real and generated images under the same random transformations, so that it cannot memorise a small data set and
G does not learn the transformations.
"""

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from vitrail.distributed import local_slice
from vitrail.tensors import SignedImages

SHIFT = 1 / 8  # largest translation, of a side
CUTOUT = 1 / 2  # side of the cutout, of a side


def augment(images: SignedImages, generator: Generator) -> SignedImages:
    """Colour, translation and cutout, drawn for each image; images in [-1, 1] (N, C, H, W), same shape."""
    count, channels, height, width = images.shape
    batch, mine = local_slice(count)
    # Float32 whatever the images are: bfloat16 would round a draw to 1, which is a pixel too far.
    draws = torch.rand(7, batch, 1, 1, 1, generator=generator)[:, mine].to(images.device)
    lift, saturation, contrast = draws[:3].to(images)
    images = images + lift - 0.5
    if channels > 1:
        grey = images.mean(dim=1, keepdim=True)
        images = grey + (images - grey) * 2 * saturation
    middle = images.mean(dim=(1, 2, 3), keepdim=True)
    images = middle + (images - middle) * (contrast + 0.5)
    images = _shifted(images, draws[3].flatten(), draws[4].flatten())
    rows, columns = (_cutout(side, draw, images) for side, draw in ((height, draws[5]), (width, draws[6])))
    return images * (1 - rows[..., :, None] * columns[..., None, :])


def _shifted(images: SignedImages, down: Tensor, across: Tensor) -> SignedImages:
    """Translation by whole pixels, filled with black."""
    count, _, height, width = images.shape
    reach = (round(SHIFT * height), round(SHIFT * width))
    padded = F.pad(images, (reach[1], reach[1], reach[0], reach[0]), value=-1.0)
    top = (down * (2 * reach[0] + 1)).long()[:, None] + torch.arange(height, device=images.device)
    left = (across * (2 * reach[1] + 1)).long()[:, None] + torch.arange(width, device=images.device)
    which = torch.arange(count, device=images.device)[:, None, None]
    return padded.movedim(1, 3)[which, top[:, :, None], left[:, None, :]].movedim(3, 1)


def _cutout(side: int, draw: Tensor, like: Tensor) -> Tensor:
    """(N, 1, side), 1 within the cutout; its centre may lie anywhere."""
    middle = draw.view(-1, 1, 1) * side
    places = torch.arange(side, device=like.device) + 0.5
    return ((places - middle).abs() < CUTOUT * side / 2).to(like)
