import io

import numpy as np
import pytest
from PIL import Image

from vitrail.plots.encode import encode_png


@pytest.mark.parametrize(
    ("shape", "kind", "mode"), [((4, 6, 3), "uint8", "RGB"), ((4, 6), "uint8", "L"), ((4, 6), "bool", "1")]
)
def test_a_png_gives_back_its_pixels(shape, kind, mode):
    pixels = np.random.default_rng(0).integers(0, 2, shape).astype(kind)
    image = Image.open(io.BytesIO(encode_png(pixels)))
    assert (image.format, image.mode) == ("PNG", mode)
    assert (np.asarray(image) == pixels).all()
