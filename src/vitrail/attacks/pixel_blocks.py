"""Images too large to be attacked pixel by pixel: the perturbation is constant on square blocks of pixels.

An attack holds some thirty copies of its images in float32. A network that sees 12 megapixels at 224 x 224 averages
over 180 pixels at a time, so that nearly the same score can be reached with one value for each block; the attack then
works on the block means, and only whole bytes are as large as the image. Success is measured on all pixels.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from vitrail.images import to_hwc
from vitrail.tensors import Pixels

WORKING_BYTES = 340
"""Bytes a pixel that an attack holds at its peak; minimal-l2 with its quantisation, measured at 12 megapixels."""

STRIP = 2**20  # values changed at once


def block_side(height: int, width: int, *, memory: int, least: int) -> int:
    """Side of the blocks, in pixels, with which an attack fits into a third of `memory` bytes; 1: it fits without.

    The rest is for whole copies of the image in bytes.

    Args:
        least: pixels that the short side must keep: the network's own.
    """
    if height * width * WORKING_BYTES <= memory:
        return 1
    side = math.ceil(math.sqrt(height * width * WORKING_BYTES / (memory / 3)))
    return max(1, min(side, min(height, width) // least))


class PixelBlocks:
    """An image and the means of its blocks.

    Attributes:
        pixels: (N, 3, H, W) uint8; N is 1 unless `side` is.
        side: of a block, in pixels.
        means: (1, 3, ceil(H / side), ceil(W / side)) uint8; `pixels` themselves where `side` is 1.
    """

    def __init__(self, pixels: Pixels, side: int) -> None:
        self.pixels, self.side = pixels, side
        self.means = pixels if side == 1 else _means(pixels[0], side)

    def lift(self, means: Tensor) -> Tensor:
        """The image with each block changed as its mean is, clipped: (1, 3, H, W) uint8."""
        if self.side == 1:
            return means
        change = means.short() - self.means.short()
        lifted = torch.empty_like(self.pixels)
        height, width = self.pixels.shape[2:]
        rows = max(1, STRIP // (3 * width * self.side))
        for top in range(0, change.shape[2], rows):
            place = slice(top * self.side, min((top + rows) * self.side, height))
            strip = _repeated(change[:, :, top : top + rows], self.side)[:, :, : place.stop - place.start, :width]
            lifted[:, :, place] = (strip + self.pixels[:, :, place]).clamp_(0, 255)
        return lifted


def _means(pixels: Tensor, side: int) -> Pixels:
    reduced = np.array(Image.fromarray(to_hwc(pixels)).reduce(side))
    return torch.from_numpy(reduced).permute(2, 0, 1)[None].contiguous().to(pixels.device)


def _repeated(blocks: Tensor, side: int) -> Tensor:
    """Every value `side` times, down and across; several times as fast as `repeat_interleave`."""
    count, channels, high, wide = blocks.shape
    spread = blocks[:, :, :, None, :, None].expand(count, channels, high, side, wide, side)
    return spread.reshape(count, channels, high * side, wide * side)
