"""Images above `PIXEL_LIMIT`: reduced while decoded where the format can, else refused by name before a pixel is."""

import io
import struct

import numpy as np
import pytest
from PIL import Image, ImageFile

from vitrail import decoding, image_formats, image_headers
from vitrail.errors import BadImage
from vitrail.image_formats import FORMATS
from vitrail.images import read_pixels


def encoded(image, kind, **options):
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def ramps(width, height):
    across, down = np.linspace(0, 255, width), np.linspace(0, 255, height)
    return Image.fromarray(np.dstack(np.broadcast_arrays(across, down[:, None], 128)).astype(np.uint8))


@pytest.fixture
def limit(monkeypatch):
    """A limit of 20,000 pixels in place of 50 million, of 100,000 where the format can reduce."""
    for name, known in FORMATS.items():
        large = 100_000 if known.large_limit > image_formats.PIXEL_LIMIT else 20_000
        monkeypatch.setitem(FORMATS, name, known._replace(pixel_limit=20_000, large_limit=large))


@pytest.mark.parametrize("kind", ["JPEG", "JPEG2000"])
@pytest.mark.parametrize("size", [(320, 240), (317, 241)])  # even, and not
@pytest.mark.parametrize("turbo", [True, False])
def test_a_large_image_is_read_small(limit, kind, size, turbo, monkeypatch):
    if not turbo:
        monkeypatch.setattr(decoding, "find_simplejpeg", lambda: None)
    image = ramps(*size)
    data = encoded(image, kind, **({"quality": 95, "subsampling": 0} if kind == "JPEG" else {}))
    full, small = decoding.decode(data, short_side=32)
    assert full == size
    assert small.size[0] * small.size[1] <= 20_000
    pixels = read_pixels(data, short_side=32, crop=32)
    wide = image.resize((int(32 * size[0] / size[1]), 32), Image.Resampling.BILINEAR)
    left = round((wide.width - 32) / 2)
    expected = np.asarray(wide.crop((left, 0, left + 32, 32))).transpose(2, 0, 1)
    assert np.abs(pixels.numpy().astype(int) - expected).max() <= 6


@pytest.mark.parametrize("kind", ["JPEG", "JPEG2000"])
def test_a_large_image_is_refused_where_all_its_pixels_are_asked_for(limit, kind):
    data = encoded(ramps(320, 240), kind)
    with pytest.raises(BadImage, match=r"too large \(320 x 240 pixels\) to be decoded at its full size. Use .* 20,000"):
        read_pixels(data)
    with pytest.raises(BadImage, match="to be decoded at its full size"):
        read_pixels(data, short_side=200)


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "BMP", "GIF", "WEBP", "PPM", "AVIF"])
def test_a_format_that_cannot_be_reduced_says_so(limit, kind):
    name = "PNM" if kind == "PPM" else kind
    with pytest.raises(
        BadImage, match=rf"320 x 240 pixels\): {name} cannot be reduced while it is decoded. Use .* 20,000"
    ):
        read_pixels(encoded(ramps(320, 240), kind), short_side=32)


def test_a_turned_large_image_comes_upright(limit):
    exif = Image.Exif()
    exif[0x0112] = 6
    turned = encoded(ramps(320, 240).transpose(Image.Transpose.ROTATE_90), "JPEG", quality=95, exif=exif)
    plain = encoded(ramps(320, 240), "JPEG", quality=95)
    assert decoding.decode(turned, short_side=32)[0] == (320, 240)
    difference = read_pixels(turned, short_side=32).int() - read_pixels(plain, short_side=32).int()
    assert difference.abs().max() <= 3


def with_jpeg_size(data, width, height):
    at = next(data.index(marker) for marker in (b"\xff\xc0", b"\xff\xc2") if marker in data) + 5
    return data[:at] + struct.pack(">HH", height, width) + data[at + 4 :]


@pytest.fixture
def decoded(monkeypatch):
    """The sizes that a decoder is asked for; none decodes."""
    sizes = []

    def load(image):
        sizes.append(image.size)
        raise OSError("not decoded in this test")

    monkeypatch.setattr(ImageFile.ImageFile, "load", load)
    monkeypatch.setattr(decoding, "find_simplejpeg", lambda: None)
    return sizes


def test_108_megapixels_are_decoded_at_an_eighth(decoded):
    data = with_jpeg_size(encoded(ramps(32, 32), "JPEG"), 12_000, 9_000)
    with pytest.raises(BadImage, match="damaged"):
        read_pixels(data, short_side=256)
    assert decoded == [(1_500, 1_125)]


def test_a_progressive_jpeg_whose_coefficients_fill_the_memory_is_refused(decoded):
    data = with_jpeg_size(encoded(ramps(32, 32), "JPEG", progressive=True), 16_000, 12_000)
    with pytest.raises(BadImage, match="too large for a progressive JPEG"):
        read_pixels(data, short_side=256)
    assert not decoded


def codestream(width=64, height=64):
    data = encoded(ramps(width, height), "JPEG2000", no_jp2=True)
    return data, data.index(b"\xff\x52") + 4  # the coding style's own fields


@pytest.mark.parametrize(
    ("place", "value", "pieces"),
    [
        (2, b"\xff\xff", ""),  # layers
        (6, b"\0\0", ""),  # code blocks of 4 x 4
    ],
)
def test_a_jpeg_2000_of_endless_pieces_is_refused_before_it_is_decoded(decoded, place, value, pieces):
    data, style = codestream()
    size = struct.pack(">8I", 4900, 4900, 0, 0, 70, 70, 0, 0)
    at = data.index(b"\xff\x51") + 6
    data = data[:at] + size + data[at + 32 :]
    data = data[: style + place] + value + data[style + place + len(value) :]
    with pytest.raises(BadImage, match=r"a JPEG 2000 cut into [\d,]+ blocks. Use one of up to 2,000,000"):
        read_pixels(data, short_side=32)
    assert not decoded


def test_a_coding_style_in_a_tile_counts(decoded):
    data, style = codestream()
    at = data.index(b"\xff\x90")
    own = bytearray(data[style - 4 : style + 12])
    length = struct.unpack_from(">H", own, 2)[0]
    own = bytearray(data[style - 4 : style - 2 + length])
    own[6:8] = b"\xff\xff"
    stated = data.index(b"\xff\x51") + 6
    data = data[:at] + data[at : at + 12] + bytes(own) + data[at + 12 :]
    data = data[:stated] + struct.pack(">8I", 4900, 4900, 0, 0, 70, 70, 0, 0) + data[stated + 32 :]
    with pytest.raises(BadImage, match="a JPEG 2000 cut into"):
        read_pixels(data)
    assert not decoded


def test_two_sizes_in_one_jpeg_2000_are_refused(decoded):
    data = encoded(ramps(64, 48), "JPEG2000")
    at = data.index(b"ihdr") + 4
    with pytest.raises(BadImage, match="two sizes"):
        read_pixels(data[:at] + struct.pack(">II", 47, 64) + data[at + 8 :])
    assert not decoded


def test_components_of_unequal_depth_are_refused(decoded):
    data, _ = codestream()
    at = data.index(b"\xff\x51") + 40
    with pytest.raises(BadImage, match="a JPEG 2000 of 8, 12, 8 bits a component. Use equal depths"):
        read_pixels(data[: at + 3] + b"\x0b" + data[at + 4 :])
    assert not decoded


def test_a_large_jpeg_2000_is_decoded_at_the_least_size_that_is_enough():
    opened = image_headers.open_image(encoded(ramps(640, 512), "JPEG2000"), "a", short_side=32)
    assert (opened.scale, opened.small_size) == (8, (80, 64))
