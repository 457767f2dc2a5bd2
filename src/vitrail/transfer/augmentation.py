"""Random views of an image, so that a network does not learn its pixels by heart."""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from vitrail.images import read_pixels
from vitrail.preprocessing import Preprocessing

SMALLEST, WIDEST = 0.5, 4 / 3  # share of the image that is kept, and width over height of the window
TRIES = 10


def random_resized_crop(file: Path, preprocessing: Preprocessing, rng: np.random.Generator) -> Tensor:
    """(3, S, S) uint8: a random window of the image, resized to the network's input, every second one mirrored.

    As in Inception's training (Szegedy et al., 2015, https://arxiv.org/abs/1409.4842), but of at least half the
    image: what is in it should stay in it.

    Raises:
        BadImage: the file cannot be read.
    """
    pixels = read_pixels(file, short_side=preprocessing.short_side, interpolation=preprocessing.interpolation)
    height, width = pixels.shape[1:]
    tall, wide = _window(height, width, rng)
    top, left = (int(rng.integers(0, whole - part + 1)) for whole, part in ((height, tall), (width, wide)))
    window = pixels[None, :, top : top + tall, left : left + wide]
    size = (preprocessing.size, preprocessing.size)
    view = torch.nn.functional.interpolate(window, size=size, mode=preprocessing.interpolation, antialias=True)[0]
    return view.flip(2) if rng.random() < 0.5 else view


def _window(height: int, width: int, rng: np.random.Generator) -> tuple[int, int]:
    """Height and width of a window inside the image; the largest square if none is found by chance."""
    for _ in range(TRIES):
        area = height * width * rng.uniform(SMALLEST, 1)
        ratio = np.exp(rng.uniform(-np.log(WIDEST), np.log(WIDEST)))
        tall, wide = round(float(np.sqrt(area / ratio))), round(float(np.sqrt(area * ratio)))
        if 1 <= tall <= height and 1 <= wide <= width:
            return tall, wide
    return (min(height, width),) * 2
