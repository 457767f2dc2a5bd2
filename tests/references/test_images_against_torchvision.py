"""The frame of `read_image` against torchvision's own evaluation transforms."""

import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from torchvision.transforms.v2 import CenterCrop, Compose, InterpolationMode, PILToTensor, Resize

from vitrail.images import read_pixels

ORDERS = {"on Pillow images": (0, 1, 2), "on tensors": (2, 0, 1)}


def stored(width, height, seed=0):
    image = Image.fromarray(np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8))
    file = io.BytesIO()
    image.save(file, "BMP")
    return image, file.getvalue()


def theirs(image, short_side, crop, *, interpolation, order):
    steps = [Resize(short_side, InterpolationMode(interpolation)), CenterCrop(crop), PILToTensor()]
    return Compose([steps[place] for place in order])(image)


def assert_close(pixels, expected, limit=1):
    assert pixels.shape == expected.shape
    difference = (pixels.int() - expected.int()).abs()
    assert difference.max() <= limit
    assert difference.float().mean() < 0.1


@pytest.mark.parametrize("order", ORDERS.values(), ids=ORDERS)
@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
@pytest.mark.parametrize("frame", [(256, 224), (232, 224), (227, 227), (64, 33)])
@pytest.mark.parametrize("size", [(500, 375), (375, 500), (341, 256), (257, 256), (200, 200), (40, 700), (2048, 2001)])
def test_frames_equal_torchvision(size, frame, interpolation, order):
    image, data = stored(*size)
    pixels = read_pixels(data, short_side=frame[0], crop=frame[1], interpolation=interpolation)
    # On noise as hard as this, torchvision's two ways differ by 2 of 255 from one another where they are bicubic.
    limit = 2 if (interpolation, order) == ("bicubic", ORDERS["on Pillow images"]) else 1
    assert_close(pixels, theirs(image, *frame, interpolation=interpolation, order=order), limit)


@settings(max_examples=60, deadline=None)
@given(width=st.integers(1, 400), height=st.integers(1, 400), short_side=st.integers(1, 80), data=st.data())
def test_frames_of_any_size_equal_torchvision(width, height, short_side, data):
    crop = data.draw(st.integers(1, short_side))
    image, stored_bytes = stored(width, height)
    pixels = read_pixels(stored_bytes, short_side=short_side, crop=crop)
    expected = theirs(image, short_side, crop, interpolation="bilinear", order=ORDERS["on Pillow images"])
    # Pillow keeps a box in single precision: where it is used, a value midway between two may round otherwise.
    assert (pixels.int() - expected.int()).abs().max() <= 2


@pytest.mark.parametrize("size", [(300, 200), (123, 457), (7, 9)])
def test_resizing_alone_equals_torchvision(size):
    image, data = stored(*size)
    assert_close(read_pixels(data, short_side=100), Compose([PILToTensor(), Resize(100)])(image))


@pytest.mark.parametrize("size", [(300, 201), (123, 458), (101, 100)])
def test_cropping_alone_equals_torchvision(size):
    image, data = stored(*size)
    assert (read_pixels(data, crop=99) == Compose([PILToTensor(), CenterCrop(99)])(image)).all()
