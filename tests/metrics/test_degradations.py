"""Each way of making images worse: what it does, and that each level is worse than the one before."""

import io
from itertools import pairwise

import numpy as np
import pytest
import torch
from PIL import Image
from scipy.ndimage import gaussian_filter

from vitrail.metrics.degradations import DEGRADATIONS, LEVELS, add_noise, blur, compress, pixelate, shift_colour


def photographs(count=4, channels=3, size=32):
    """Images with coarse and fine detail, far from black and white."""
    draws = torch.Generator().manual_seed(0)
    coarse = torch.rand(count, channels, 4, 4, generator=draws)
    fine = torch.rand(count, channels, size, size, generator=draws)
    smooth = torch.nn.functional.interpolate(coarse, size=(size, size), mode="bilinear")
    return (70 + 90 * smooth + 20 * fine).to(torch.uint8)


@pytest.mark.parametrize("name", DEGRADATIONS)
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("size", [16, 32, 64])
def test_each_level_is_further_from_the_image_and_always_the_same(name, channels, size):
    way, images = DEGRADATIONS[name], photographs(channels=channels, size=size)
    before = images.clone()
    errors = []
    for strength in way.strengths(size):
        worse = way.apply(images, strength)
        assert worse.shape == images.shape
        assert worse.dtype == torch.uint8
        assert torch.equal(worse, way.apply(images, strength))
        errors.append((worse.float() - images).square().mean().item())
        assert way.describe(strength)
    assert len(errors) == LEVELS
    slack = 0.85 if name == "pixelation" else 1  # squares that do not divide the side lie askew
    assert all(after >= slack * before for before, after in pairwise(errors))
    assert errors[-1] > 1
    assert torch.equal(images, before)


def test_blur_is_a_gaussian():
    images = photographs()
    for sigma in (0.4, 1.3, 2.5):
        wanted = np.stack([gaussian_filter(each, (0, sigma, sigma), mode="mirror") for each in images.double().numpy()])
        assert np.abs(blur(images, sigma).numpy() - wanted).max() <= 1.0


def test_noise_has_its_deviation():
    grey = torch.full((2, 3, 64, 64), 128, dtype=torch.uint8)
    assert (add_noise(grey, 10).float() - 128).std() == pytest.approx(10, rel=0.05)


def test_jpeg_is_that_of_a_file():
    images = photographs(channels=3)
    file = io.BytesIO()
    Image.fromarray(images[1].permute(1, 2, 0).numpy()).save(file, "JPEG", quality=12)
    stored = np.asarray(Image.open(file)).transpose(2, 0, 1)
    np.testing.assert_array_equal(compress(images, 12)[1].numpy(), stored)


def test_colour_is_shifted_and_cut_off():
    images = torch.tensor([250, 100, 5], dtype=torch.uint8).view(1, 3, 1, 1).expand(1, 3, 2, 2)
    assert shift_colour(images, 16)[0, :, 0, 0].tolist() == [255, 100, 0]
    assert shift_colour(images[:, :1], 16)[0, 0, 0, 0] == 255


def test_squares_are_means():
    images = photographs(size=8)
    squares = pixelate(images, 2)
    for top in (0, 4):
        square = squares[:, :, top : top + 4, :4]
        mean = images[:, :, top : top + 4, :4].float().mean(dim=(2, 3), keepdim=True)
        assert (square - mean).abs().max() <= 0.5001
