"""Data augmentation of fine-tuning: random crops, resized and mirrored."""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from vitrail.images import read_pixels
from vitrail.preprocessing import Preprocessing

MIN_AREA, MAX_ASPECT = 0.5, 4 / 3  # area of the crop as a share of the image, and its width over its height
TRIES = 10


def random_resized_crop(file: Path, preprocessing: Preprocessing, rng: np.random.Generator) -> Tensor:
    """(3, S, S) uint8: a random crop of the image, resized to the network's input, mirrored with probability 1/2.

    As in the training of Inception (Szegedy et al., 2015, https://arxiv.org/abs/1409.4842), but with at least half of
    the image's area, so that the object stays in the crop.

    Raises:
        BadImage: the file cannot be read.
    """
    pixels = read_pixels(file, short_side=preprocessing.short_side, interpolation=preprocessing.interpolation)
    height, width = pixels.shape[1:]
    crop_height, crop_width = _crop_size(height, width, rng)
    top, left = (int(rng.integers(0, rest + 1)) for rest in (height - crop_height, width - crop_width))
    crop = pixels[None, :, top : top + crop_height, left : left + crop_width]
    size = (preprocessing.size, preprocessing.size)
    resized = torch.nn.functional.interpolate(crop, size=size, mode=preprocessing.interpolation, antialias=True)[0]
    return resized.flip(2) if rng.random() < 0.5 else resized


def _crop_size(height: int, width: int, rng: np.random.Generator) -> tuple[int, int]:
    """Height and width of a random crop; the largest square if no try fits into the image."""
    for _ in range(TRIES):
        area = height * width * rng.uniform(MIN_AREA, 1)
        ratio = np.exp(rng.uniform(-np.log(MAX_ASPECT), np.log(MAX_ASPECT)))
        crop_height, crop_width = round(float(np.sqrt(area / ratio))), round(float(np.sqrt(area * ratio)))
        if 1 <= crop_height <= height and 1 <= crop_width <= width:
            return crop_height, crop_width
    return (min(height, width),) * 2
