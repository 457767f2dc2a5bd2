import io
import struct
import warnings
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import simplejpeg
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms, ImageFile

from vitrail import decoding
from vitrail.errors import BadImage, BadSetting, CannotWrite
from vitrail.image_formats import PIXEL_LIMIT, is_installed
from vitrail.images import (
    from_signed_range,
    read_pixels,
    resized_size,
    save_image,
    to_bytes,
    to_hwc,
    to_rgb,
    to_signed_range,
    to_unit,
)

HEIC = Path(__file__).parent / "image_files" / "plain.heic"
RED, GREEN, BLUE, WHITE, BLACK = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255), (0, 0, 0)


def encoded(image, kind, **options):
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def photograph(width, height, seed=0):
    """Smooth colour with a little noise, as a camera gives."""
    generator = np.random.default_rng(seed)
    coarse = generator.integers(0, 256, (max(2, height // 16), max(2, width // 16), 3), dtype=np.uint8)
    smooth = np.asarray(Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC)).astype(int)
    noisy = smooth + generator.integers(-6, 7, (height, width, 1))
    return Image.fromarray(noisy.clip(0, 255).astype(np.uint8))


def array(image):
    return np.asarray(image.convert("RGB")).transpose(2, 0, 1)


def difference(pixels, expected):
    return np.abs(pixels.numpy().astype(int) - np.asarray(expected).astype(int))


def exif(orientation):
    tags = Image.Exif()
    tags[0x0112] = orientation
    return tags.tobytes()


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width, height, *, depth=8, colour=2, rows=b"", before=()):
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    middle = b"".join(chunk(*each) for each in before)
    body = chunk(b"IHDR", header) + middle + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


# --- what comes out -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["PNG", "BMP", "TIFF", "WEBP"])
def test_lossless_formats_give_their_pixels_in_rgb_order(kind):
    image = photograph(13, 7)
    pixels = read_pixels(encoded(image, kind, **({"lossless": True} if kind == "WEBP" else {})))
    assert pixels.dtype == torch.uint8
    assert pixels.is_contiguous()
    np.testing.assert_array_equal(pixels, array(image))


@pytest.mark.parametrize("progressive", [False, True])
def test_jpeg_gives_what_pillow_decodes(progressive):
    data = encoded(photograph(61, 47), "JPEG", quality=90, progressive=progressive)
    np.testing.assert_array_equal(read_pixels(data), array(Image.open(io.BytesIO(data))))


@pytest.mark.parametrize(
    ("mode", "size", "options"),
    [
        ("L", (61, 47), {}),
        ("RGB", (61, 47), {"subsampling": "4:2:0", "progressive": True}),
        ("RGB", (61, 47), {"subsampling": "4:4:4", "restart_marker_rows": 1}),
        ("RGB", (61, 47), {"keep_rgb": True}),
        ("L", (800, 600), {}),
        ("RGB", (804, 600), {"subsampling": "4:2:0"}),
        ("RGB", (61, 47), {"exif": exif(1)}),
    ],
)
def test_the_quick_decoder_of_plain_jpegs_gives_the_same_bits(mode, size, options):
    data = encoded(photograph(*size).convert(mode), "JPEG", **options)
    full, pixels = decoding.decode_fast(data, short_side=64)
    assert isinstance(pixels, np.ndarray), "simplejpeg was not used"
    slow, image = decoding.decode(data, short_side=64)
    assert full == slow == size
    np.testing.assert_array_equal(pixels.squeeze(), np.asarray(image))


@pytest.mark.parametrize("odd", ["turned", "CMYK", "cut short", "PNG"])
def test_all_but_plain_jpegs_is_left_to_pillow(odd):
    image = photograph(61, 47)
    if odd == "cut short":
        with pytest.raises(BadImage, match="damaged or cut short"):
            decoding.decode_fast(encoded(image, "JPEG")[:-200])
        return
    data = encoded(image.convert("CMYK") if odd == "CMYK" else image, "PNG" if odd == "PNG" else "JPEG")
    if odd == "turned":
        data = encoded(image, "JPEG", exif=exif(6))
    assert isinstance(decoding.decode_fast(data)[1], Image.Image)


def test_without_the_quick_decoder_the_pixels_are_the_same(monkeypatch):
    data = encoded(photograph(61, 47), "JPEG")
    quick = read_pixels(data, short_side=32, crop=32)
    monkeypatch.setattr(decoding, "find_simplejpeg", lambda: None)
    assert torch.equal(read_pixels(data, short_side=32, crop=32), quick)


def test_a_path_and_its_bytes_give_the_same_pixels(tmp_path):
    file = tmp_path / "image.png"
    file.write_bytes(encoded(photograph(9, 9), "PNG"))
    assert torch.equal(read_pixels(file), read_pixels(file.read_bytes()))
    assert torch.equal(read_pixels(str(file)), read_pixels(file))


@pytest.mark.parametrize("short_side", [None, 8])
@pytest.mark.parametrize("kind", ["PNG", "JPEG", "TIFF", "BMP"])
def test_grey_gives_three_equal_channels(kind, short_side):
    pixels = read_pixels(encoded(photograph(12, 16).convert("L"), kind), short_side=short_side)
    assert pixels.shape[0] == 3
    assert torch.equal(pixels[0], pixels[1])
    assert torch.equal(pixels[0], pixels[2])


@pytest.mark.parametrize(
    ("depth", "row", "expected"),
    [(1, 0b01, [0, 0, 0, 0, 0, 0, 0, 255]), (2, 0b00011011, [0, 85, 170, 255]), (4, 0x0F, [0, 255])],
)
def test_few_bits_of_grey_are_spread_over_the_whole_range(depth, row, expected):
    pixels = read_pixels(png(len(expected), 1, depth=depth, colour=0, rows=bytes([0, row])))
    assert pixels[1, 0].tolist() == expected


def test_sixteen_bit_grey_is_scaled_and_rounded():
    values = np.array([[0, 128, 129, 257, 40000, 65406, 65407, 65535]], dtype=np.uint16)
    for kind in ("PNG", "TIFF"):
        pixels = read_pixels(encoded(Image.fromarray(values), kind))
        np.testing.assert_array_equal(pixels[0], np.round(values / 257))


def test_sixteen_bit_grey_from_big_endian_tiff():
    values = np.arange(0, 65536, 257, dtype=">u2").reshape(1, -1)
    image = Image.frombytes("I;16B", (256, 1), values.tobytes())
    assert read_pixels(encoded(image, "TIFF"))[0, 0].tolist() == list(range(256))


def test_sixteen_bit_grey_with_a_transparent_value_lies_on_white():
    rows = b"\0" + struct.pack(">HHH", 0, 1000, 65535)
    data = png(3, 1, depth=16, colour=0, rows=rows, before=[(b"tRNS", struct.pack(">H", 1000))])
    assert read_pixels(data)[0, 0].tolist() == [0, 255, 255]


def test_sixteen_bit_colour_is_scaled_within_one_of_255():
    values = np.random.default_rng(0).integers(0, 65536, (1, 50, 3))
    data = png(50, 1, depth=16, rows=b"\0" + values.astype(">u2").tobytes())
    assert difference(read_pixels(data), (values / 257).transpose(2, 0, 1).round()).max() <= 1


def test_sixteen_bit_transparency_lies_on_white():
    rows = b"\0" + struct.pack(">HHHH", 65535, 0, 0, 0) + struct.pack(">HHHH", 65535, 0, 0, 65535)
    pixels = read_pixels(png(2, 1, depth=16, colour=6, rows=rows))
    assert pixels[:, 0].T.tolist() == [list(WHITE), list(RED)]


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "TIFF"])
def test_transparency_lies_on_white(kind):
    alpha = np.arange(256, dtype=np.uint8)
    image = Image.fromarray(
        np.stack([np.full(256, 200), np.full(256, 40), np.zeros(256), alpha], 1)[None].astype(np.uint8)
    )
    options = {"lossless": True, "exact": True} if kind == "WEBP" else {}
    share = alpha / 255
    expected = np.stack([255 + share * (value - 255) for value in (200, 40, 0)])[:, None]
    assert difference(read_pixels(encoded(image, kind, **options)), expected.round()).max() <= 1


@pytest.mark.parametrize("mode", ["LA", "PA"])
def test_transparent_grey_and_palette_lie_on_white(mode):
    image = Image.new(mode, (2, 1), (0, 255))
    image.putpixel((1, 0), (0, 0))
    if mode == "PA":
        image.putpalette([*BLACK, *RED])
    data = encoded(image, "TIFF" if mode == "PA" else "PNG")
    assert read_pixels(data)[:, 0].T.tolist() == [list(BLACK), list(WHITE)]


def test_palettes_are_looked_up():
    image = Image.new("P", (3, 1))
    image.putpalette([*RED, *GREEN, *BLUE])
    image.putdata([2, 0, 1])
    for kind in ("PNG", "GIF", "BMP", "TIFF"):
        assert read_pixels(encoded(image, kind))[:, 0].T.tolist() == [list(BLUE), list(RED), list(GREEN)]
    for kind in ("PNG", "GIF"):
        assert read_pixels(encoded(image, kind, transparency=0))[:, 0].T.tolist() == [
            list(BLUE),
            list(WHITE),
            list(GREEN),
        ]


def test_a_transparent_colour_lies_on_white():
    image = Image.new("RGB", (2, 1), RED)
    image.putpixel((1, 0), GREEN)
    assert read_pixels(encoded(image, "PNG", transparency=RED))[:, 0].T.tolist() == [list(WHITE), list(GREEN)]


def test_one_bit_is_black_and_white():
    image = Image.new("1", (2, 1))
    image.putpixel((1, 0), 1)
    for kind in ("PNG", "BMP", "TIFF"):
        assert read_pixels(encoded(image, kind))[:, 0].T.tolist() == [list(BLACK), list(WHITE)]


@pytest.mark.parametrize(
    ("inks", "colour"),
    [
        ((0, 0, 0, 0), WHITE),
        ((0, 255, 255, 0), RED),
        ((255, 0, 255, 0), GREEN),
        ((0, 0, 0, 255), BLACK),
        ((0, 0, 0, 128), (127, 127, 127)),
    ],
)
@pytest.mark.parametrize("kind", ["JPEG", "TIFF"])
def test_printing_inks_become_light(kind, inks, colour):
    pixels = read_pixels(encoded(Image.new("CMYK", (16, 16), inks), kind))
    assert difference(pixels, np.array(colour)[:, None, None]).max() <= 2


@pytest.mark.parametrize("colour", [WHITE, RED, GREEN, BLUE, BLACK])
def test_ycck_jpeg_becomes_light(colour):
    # Transform 2: libjpeg takes luminance and chroma to RGB and that to 255 - RGB, which Adobe lets mean light, so that
    # the file holds luminance and chroma of the inks. Pillow writes 255 - value, with transform 0.
    inks = tuple(255 - light for light in colour)
    stored = Image.new("RGB", (16, 16), inks).convert("YCbCr").getpixel((0, 0))
    data = encoded(Image.new("CMYK", (16, 16), tuple(255 - value for value in (*stored, 255))), "JPEG", quality=100)
    transform = data.index(b"Adobe") + 11
    assert data[transform] == 0
    data = data[:transform] + b"\2" + data[transform + 1 :]
    assert difference(read_pixels(data), np.array(colour)[:, None, None]).max() <= 3


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG"])
def test_an_animation_gives_its_first_frame(kind):
    frames = [Image.new("RGB", (8, 8), colour) for colour in (RED, GREEN, BLUE)]
    options = {"lossless": True} if kind == "WEBP" else {}
    data = encoded(frames[0], kind, save_all=True, append_images=frames[1:], duration=50, **options)
    assert read_pixels(data)[:, 4, 4].tolist() == list(RED)


def test_a_phone_image_of_several_gives_its_first():
    first, second = photograph(24, 16), photograph(24, 16, seed=1)
    data = encoded(first, "MPO", save_all=True, append_images=[second])
    np.testing.assert_array_equal(read_pixels(data), array(Image.open(io.BytesIO(data), formats=["JPEG"])))


def test_threads_read_the_same_pixels():
    data = encoded(photograph(300, 200), "JPEG")
    with ThreadPoolExecutor(8) as threads:
        pixels = list(threads.map(lambda _: read_pixels(data, short_side=64, crop=56), range(32)))
    assert all(torch.equal(each, pixels[0]) for each in pixels)


def test_a_colour_profile_leaves_the_numbers_as_stored():
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
    image = photograph(8, 8)
    np.testing.assert_array_equal(read_pixels(encoded(image, "PNG", icc_profile=profile)), array(image))


# --- which way up ---------------------------------------------------------------------------------------------------

STORED = {  # how a camera stores the upright image `u` (height, width, colour) under each EXIF orientation
    1: lambda u: u,
    2: lambda u: u[:, ::-1],
    3: lambda u: u[::-1, ::-1],
    4: lambda u: u[::-1],
    5: lambda u: u.swapaxes(0, 1),
    6: lambda u: u[::-1].swapaxes(0, 1)[::-1, ::-1],
    7: lambda u: u[::-1, ::-1].swapaxes(0, 1),
    8: lambda u: u[:, ::-1].swapaxes(0, 1)[::-1, ::-1],
}


def stored(upright, orientation):
    return Image.fromarray(np.ascontiguousarray(STORED[orientation](np.asarray(upright))))


@pytest.mark.parametrize("orientation", STORED)
@pytest.mark.parametrize("kind", ["PNG", "WEBP", "TIFF", "JPEG"])
def test_images_come_upright(kind, orientation):
    upright = photograph(24, 16)
    options = {"WEBP": {"lossless": True}, "JPEG": {"quality": 100, "subsampling": 0}}.get(kind, {})
    data = encoded(stored(upright, orientation), kind, exif=exif(orientation), **options)
    pixels = read_pixels(data)
    assert pixels.shape == (3, 16, 24)
    assert difference(pixels, array(upright)).max() <= (4 if kind == "JPEG" else 0)


@pytest.mark.parametrize("orientation", STORED)
@pytest.mark.parametrize("size", [(96, 64), (1000, 400), (40, 500)])  # as it is, from a draft, a small box of it
def test_turned_images_are_resized_and_cropped_as_upright_ones(size, orientation):
    upright = photograph(*size)
    plain = read_pixels(encoded(upright, "JPEG", quality=95, subsampling=0), short_side=32, crop=31)
    turned = encoded(stored(upright, orientation), "JPEG", quality=95, subsampling=0, exif=exif(orientation))
    assert difference(read_pixels(turned, short_side=32, crop=31), plain).mean() < 1.0


def test_orientation_one_corner_at_a_time():
    # Orientation 6: the camera was held upright, the stored top left corner belongs at the top right.
    image = Image.new("RGB", (32, 16), BLACK)
    image.paste(RED, (0, 0, 8, 8))
    pixels = read_pixels(encoded(image, "PNG", exif=exif(6)))
    assert pixels.shape == (3, 32, 16)
    assert pixels[:, 0, -1].tolist() == list(RED)
    assert pixels[:, 0, 0].tolist() == list(BLACK)


@pytest.mark.parametrize("note", [b"Exif\0\0", b"Exif\0\0II*\0\xff\xff\xff\xff", b"Exif\0\0garbage", exif(9), exif(0)])
def test_a_damaged_or_unknown_orientation_leaves_the_image_as_stored(note):
    image = photograph(24, 16)
    np.testing.assert_array_equal(read_pixels(encoded(image, "PNG", exif=note)), array(image))


# --- geometry -------------------------------------------------------------------------------------------------------


@given(width=st.integers(1, 5000), height=st.integers(1, 5000), short_side=st.integers(1, 600))
def test_resized_sizes_keep_the_short_side_and_the_shape(width, height, short_side):
    wide, high = resized_size((width, height), short_side)
    assert min(wide, high) == short_side
    assert max(wide, high) == int(short_side * max(width, height) / min(width, height))
    assert (wide <= high) == (width <= height) or wide == high


def two_steps(image, short_side, crop, resample=Image.Resampling.BILINEAR):
    """Pillow's resize of the whole, then its crop: the peer that everything here is held to."""
    resized = image.convert("RGB").resize(resized_size(image.size, short_side), resample)
    left, top = round((resized.width - crop) / 2), round((resized.height - crop) / 2)
    return array(resized.crop((left, top, left + crop, top + crop)))


@settings(max_examples=60, deadline=None)
@given(width=st.integers(1, 300), height=st.integers(1, 300), short_side=st.integers(1, 64), data=st.data())
def test_any_size_is_framed_as_in_two_steps(width, height, short_side, data):
    crop = data.draw(st.integers(1, short_side))
    image = photograph(width, height)
    pixels = read_pixels(encoded(image, "PNG"), short_side=short_side, crop=crop)
    assert pixels.shape == (3, crop, crop)
    assert difference(pixels, two_steps(image, short_side, crop)).max() <= 2  # a tie may go the other way, twice


@pytest.mark.parametrize("grey", [False, True])
@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
@pytest.mark.parametrize("size", [(500, 375), (1000, 1301), (900, 100)])  # whole; whole, in strips; a box
def test_both_resizers_agree_with_two_steps(size, interpolation, grey):
    image = photograph(*size).convert("L" if grey else "RGB")
    pixels = read_pixels(encoded(image, "BMP"), short_side=256, crop=224, interpolation=interpolation)
    error = difference(pixels, two_steps(image, 256, 224, getattr(Image.Resampling, interpolation.upper())))
    assert error.max() <= 1
    assert error.mean() < 0.01


@pytest.mark.parametrize(
    ("size", "scale"),
    [((1600, 1200), 2), ((1602, 1200), 2), ((1000, 2000), 1), ((2000, 2400), 2), ((2400, 2100), 4), ((1601, 1203), 1)],
)
def test_a_large_jpeg_decoded_small_differs_little(size, scale):
    data = encoded(photograph(*size), "JPEG", quality=90)
    error = difference(read_pixels(data, short_side=256, crop=224), two_steps(Image.open(io.BytesIO(data)), 256, 224))
    assert decoding.decode(data, short_side=256)[1].size == (size[0] // scale, size[1] // scale)
    assert error.mean() < (0.7 if scale > 1 else 0.01)
    assert error.max() <= (6 if scale > 1 else 1)


def test_one_pixel_fills_the_frame():
    pixels = read_pixels(encoded(Image.new("RGB", (1, 1), (10, 20, 30)), "PNG"), short_side=256, crop=224)
    assert pixels.shape == (3, 224, 224)
    assert (pixels == torch.tensor([10, 20, 30])[:, None, None]).all()


@pytest.mark.parametrize("size", [(1, 60000), (60000, 1)])
def test_a_line_of_pixels_is_framed_without_making_the_whole(size, monkeypatch):
    monkeypatch.setattr(torch.nn.functional, "interpolate", None)  # the whole would have 3.9 billion pixels
    values = np.arange(60000) // 30000 * 255  # black, then white, from the very middle
    image = Image.fromarray(values.astype(np.uint8).reshape(size[::-1]))
    pixels = read_pixels(encoded(image, "PNG"), short_side=256, crop=224)[0]
    start, end = (pixels[0, 0], pixels[-1, 0]) if size[0] == 1 else (pixels[0, 0], pixels[0, -1])
    assert (pixels.shape, start < 128, end > 127) == ((224, 224), True, True)


def test_a_line_of_pixels_is_refused_where_the_whole_is_asked_for():
    data = encoded(Image.new("L", (1, 60000)), "PNG")
    with pytest.raises(BadImage, match="would become 256 x 15,360,000 pixels"):
        read_pixels(data, short_side=256)


def test_a_crop_alone_takes_the_middle():
    image = photograph(11, 8)
    left, top = 4, 2  # round(3.5) and round(2.5): halves go to the even number
    pixels = read_pixels(encoded(image, "PNG"), crop=3)
    np.testing.assert_array_equal(pixels, array(image)[:, top : top + 3, left : left + 3])


def test_a_crop_larger_than_the_image_is_refused():
    with pytest.raises(BadImage, match="'small' is 5 x 4 pixels, smaller than the crop. Use a crop of up to 4"):
        read_pixels(encoded(photograph(5, 4), "PNG"), crop=5, name="small")


@pytest.mark.parametrize(
    ("given_", "message"),
    [
        ({"short_side": 0}, "short_side must be at least 1 pixel; got 0"),
        ({"crop": -1}, "crop must be at least 1 pixel; got -1"),
        ({"short_side": 8, "crop": 9}, "at most short_side, 8 pixels; got 9"),
    ],
)
def test_impossible_frames_are_refused(given_, message):
    with pytest.raises(BadSetting, match=message):
        read_pixels(b"", **given_)


# --- what is refused ------------------------------------------------------------------------------------------------

EXAMPLES = {
    "JPEG": encoded(photograph(80, 60), "JPEG"),
    "progressive": encoded(photograph(80, 60), "JPEG", progressive=True),
    "PNG": encoded(photograph(80, 60), "PNG"),
    "WEBP": encoded(photograph(80, 60), "WEBP"),
    "BMP": encoded(photograph(80, 60), "BMP"),
    "GIF": encoded(photograph(80, 60), "GIF"),
    "TIFF": encoded(photograph(80, 60), "TIFF", compression="tiff_lzw"),
    "AVIF": encoded(photograph(80, 60), "AVIF"),
    "JPEG 2000": encoded(photograph(80, 60), "JPEG2000"),
    "J2K codestream": encoded(photograph(80, 60), "JPEG2000", no_jp2=True, tile_size=(32, 32), num_resolutions=3),
    "PPM": encoded(photograph(80, 60), "PPM"),
    "PGM of 12 bits": b"P5 80 60 4095\n" + np.random.default_rng(0).integers(0, 4096, 4800).astype(">u2").tobytes(),
    "PGM of text": b"P2 # a note\n80 60 9\n" + b" 3" * 4800,
    "PBM of text": b"P1\n80 60\n" + b"01" * 2400,
    **({"HEIC": HEIC.read_bytes()} if is_installed("HEIC") else {}),
}


@pytest.mark.parametrize("kind", EXAMPLES)
@pytest.mark.parametrize("place", range(20))
def test_a_image_cut_short_is_refused_by_name(kind, place):
    data = EXAMPLES[kind]
    end = 4 + (len(data) - 40) * place // 19
    with pytest.raises(BadImage, match="'holiday"):
        read_pixels(data[:end], name="holiday")


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"This is a letter, not an image.",
        b"\xff\xd8",
        b"%!PS-Adobe-3.0 EPSF-3.0\n",
        b"P9 1 1 255\n\1\2\3",
        b"RIFF\4\0\0\0WAVE",
    ],
)
def test_other_files_are_refused_and_the_known_formats_named(data, tmp_path):
    file = tmp_path / "letter.jpg"
    file.write_bytes(data)
    with pytest.raises(
        BadImage, match=r"letter.jpg' is (empty|not an|text, not an|a ).*\. Use JPEG, PNG, WEBP, BMP, GIF, TIFF"
    ):
        read_pixels(file)


def with_webp_size(width, height):
    frames = [Image.new("RGB", (8, 8), colour) for colour in (RED, GREEN)]
    data = bytearray(encoded(frames[0], "WEBP", save_all=True, append_images=frames[1:]))
    at = data.index(b"VP8X") + 12
    data[at : at + 6] = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    return bytes(data)


def with_jpeg_size(width, height):
    data = EXAMPLES["JPEG"]
    at = data.index(b"\xff\xc0") + 5
    return data[:at] + struct.pack(">HH", height, width) + data[at + 4 :]


def with_bmp_size(width, height):
    return EXAMPLES["BMP"][:18] + struct.pack("<ii", width, height) + EXAMPLES["BMP"][26:]


def with_gif_size(width, height):
    return EXAMPLES["GIF"][:6] + struct.pack("<HH", width, height) + EXAMPLES["GIF"][10:]


BOMBS = {
    "png": png(40_000, 40_000, rows=bytes(1000)),
    "png, a little": png(PIXEL_LIMIT + 1, 1),
    "jpeg": with_jpeg_size(65_000, 65_000),
    "bmp": with_bmp_size(40_000, 40_000),
    "gif": with_gif_size(65_000, 65_000),
    "webp": with_webp_size(9_000, 9_000),
    "webp, huge": with_webp_size(60_000, 60_000),
}


def decoders_that_note_their_use(monkeypatch):
    """The sizes of the images that are decoded from now on; none of them is."""
    sizes = []

    def load(opened):
        sizes.append(opened.size)
        raise OSError("not decoded in this test")

    monkeypatch.setattr(ImageFile.ImageFile, "load", load)
    monkeypatch.setattr(simplejpeg, "decode_jpeg", lambda *_, **__: sizes.append("JPEG"))
    return sizes


@pytest.mark.parametrize("bomb", BOMBS)
def test_bombs_are_refused_by_their_header(bomb, monkeypatch):
    reached = decoders_that_note_their_use(monkeypatch)
    limit = {"webp": "25,000,000", "jpeg": "250,000,000"}.get(bomb.partition(",")[0], "50,000,000")
    with pytest.raises(BadImage, match=rf"'image' is too large .*. Use an image of up to {limit} pixels"):
        read_pixels(BOMBS[bomb])
    assert not reached


def test_a_jpeg_that_goes_over_its_pixels_for_ever_is_refused():
    data = encoded(photograph(80, 60), "JPEG", progressive=True)
    last = data.rindex(b"\xff\xda")
    often = data[:-2] + data[last:-2] * 2_000 + data[-2:]
    assert read_pixels(often).shape == (3, 60, 80)  # small, it is done at once
    at = data.index(b"\xff\xc2") + 5
    with pytest.raises(BadImage, match=r"2,010 times. Use an image of up to 138 scans"):
        read_pixels(often[:at] + struct.pack(">HH", 6_000, 6_000) + often[at + 4 :])


@pytest.mark.parametrize("packing", [1, 2])
def test_a_bmp_packed_as_runs_is_refused_before_a_run_is_looked_at(packing, monkeypatch):
    reached = decoders_that_note_their_use(monkeypatch)
    data = encoded(photograph(8, 8).convert("P"), "BMP")
    bits = {1: 8, 2: 4}[packing]
    with pytest.raises(BadImage, match="a BMP packed as runs"):
        read_pixels(data[:28] + struct.pack("<HI", bits, packing) + data[34:])
    assert not reached


@pytest.mark.parametrize("kind", ["clear", "deep", "clear palette"])
def test_what_is_made_flat_in_strips_is_what_it_is_as_a_whole(kind, monkeypatch):
    values = np.random.default_rng(0).integers(0, 65536, (70, 50), dtype=np.uint16)
    if kind == "deep":
        data = encoded(Image.fromarray(values), "PNG")
    else:
        image = Image.fromarray(values.view(np.uint8).reshape(70, 25, 4))
        data = encoded(
            image if kind == "clear" else image.convert("P"),
            "PNG",
            **({} if kind == "clear" else {"transparency": 7}),
        )
    whole = read_pixels(data)
    monkeypatch.setattr(decoding, "STRIP", 333)
    assert torch.equal(read_pixels(data), whole)


def test_the_largest_image_allowed_passes_the_header(monkeypatch):
    reached = decoders_that_note_their_use(monkeypatch)
    with pytest.raises(BadImage, match="damaged"):
        read_pixels(png(10_000, 5_000))
    assert reached == [(10_000, 5_000)]


def test_a_bomb_in_a_comment_is_refused():
    text = zlib.compress(bytes(5_000_000))
    with pytest.raises(BadImage, match="damaged"):
        read_pixels(png(1, 1, rows=bytes(4), before=[(b"zTXt", b"note\0\0" + text)]))


@pytest.mark.parametrize("size", [(0, 5), (5, 0), (0, 0)])
def test_images_without_pixels_are_refused(size):
    with pytest.raises(BadImage):
        read_pixels(png(*size))


@pytest.mark.parametrize(
    ("mode", "what"),
    [("F", "a TIFF of 32-bit floating-point"), ("I", "a TIFF of 32-bit signed"), ("LAB", "stores its pixels as 'LAB'")],
)
def test_layouts_without_an_agreed_range_are_refused(mode, what):
    with pytest.raises(BadImage, match=rf"{what}.* no agreed range. Use 8 or 16 unsigned bits per channel\.$"):
        read_pixels(encoded(Image.new(mode, (4, 4)), "TIFF"))


def test_sixteen_bit_tiff_where_white_is_zero_is_refused():
    data = encoded(Image.new("I;16", (4, 4)), "TIFF")
    tag = struct.pack("<HHI", 262, 3, 1)  # PhotometricInterpretation, short, one value
    assert data.count(tag + b"\1\0") == 1
    with pytest.raises(
        BadImage, match="a TIFF of 16 bits where white is 0. Use 8 or 16 unsigned bits per channel, with black as 0"
    ):
        read_pixels(data.replace(tag + b"\1\0", tag + b"\0\0"))


STARTS = [
    b"\0\0\0\x20ftypavif",
    b"\0\0\0\x20ftypheic",
    EXAMPLES["JPEG 2000"][:40],
    b"\xff\x4f\xff\x51",
    b"P5 9 9 9\n",
    b"P3\n",
]


def pixels_or_message(data):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow warns of what it overlooks
        try:
            return read_pixels(data, short_side=32, crop=32)
        except BadImage as error:
            return str(error)


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(kind=st.sampled_from(sorted(EXAMPLES)), data=st.data())
def test_damaged_images_give_pixels_or_bad_image(kind, data):
    damaged = bytearray(EXAMPLES[kind])
    places = st.integers(0, len(damaged) - 1) | st.integers(0, 60)
    for place, value in data.draw(st.lists(st.tuples(places, st.integers(0, 255)), max_size=8)):
        damaged[place] = value
    outcome = pixels_or_message(bytes(damaged))
    assert "\n" not in outcome if isinstance(outcome, str) else outcome.shape == (3, 32, 32)


@settings(max_examples=200, deadline=None)
@given(
    start=st.sampled_from(
        [b"", b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"RIFF\1\1\1\1WEBP", b"BM", b"GIF89a", b"II*\0", b"MM\0*", *STARTS]
    ),
    rest=st.binary(max_size=200),
)
def test_random_bytes_give_bad_image(start, rest):
    outcome = pixels_or_message(start + rest)
    assert outcome.startswith("'image' ") if isinstance(outcome, str) else outcome.shape == (3, 32, 32)


# --- saving ---------------------------------------------------------------------------------------------------------


def test_saved_pixels_come_back_equal(tmp_path):
    pixels = torch.randint(0, 256, (3, 9, 7), dtype=torch.uint8)
    save_image(pixels, tmp_path / "a.png")
    assert torch.equal(read_pixels(tmp_path / "a.png"), pixels)
    save_image(to_unit(pixels).requires_grad_(), tmp_path / "a.PNG")
    assert torch.equal(read_pixels(tmp_path / "a.PNG"), pixels)
    assert {file.suffix for file in tmp_path.iterdir()} == {".png", ".PNG"}


def test_one_channel_is_saved_as_grey(tmp_path):
    grey = torch.rand(1, 5, 6)
    save_image(grey, tmp_path / "grey.png")
    assert torch.equal(read_pixels(tmp_path / "grey.png"), to_bytes(grey).repeat(3, 1, 1))


def test_saving_elsewhere_than_png_is_refused(tmp_path):
    with pytest.raises(BadSetting, match=r"saved as PNG; got '.*a.jpg'. Use a name that ends in .png"):
        save_image(torch.rand(3, 4, 4), tmp_path / "a.jpg")


def test_a_place_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(CannotWrite, match=r"a\.png"):
        save_image(torch.rand(3, 4, 4), tmp_path / "file" / "a.png")


def test_values_that_are_not_numbers_are_refused(tmp_path):
    with pytest.raises(BadImage, match="not numbers"):
        save_image(torch.full((3, 2, 2), torch.nan), tmp_path / "a.png")
    assert list(tmp_path.iterdir()) == []


# --- ranges ---------------------------------------------------------------------------------------------------------


def test_channels_last_for_one_image_and_for_many():
    pixels = torch.arange(2 * 3 * 4 * 5, dtype=torch.uint8).view(2, 3, 4, 5)
    array = to_hwc(pixels)
    assert (array.shape, array.dtype) == ((2, 4, 5, 3), np.uint8)
    assert array.flags["C_CONTIGUOUS"]
    assert (array[1, 2, 3] == pixels[1, :, 2, 3].numpy()).all()
    assert (to_hwc(to_unit(pixels[0]).requires_grad_()) == array[0]).all()
    assert to_hwc(pixels[:, :1]).shape == (2, 4, 5, 3)


def test_every_byte_survives_the_unit_range():
    pixels = torch.arange(256, dtype=torch.uint8)
    assert to_unit(pixels).dtype == torch.float32
    assert (to_unit(pixels)[0], to_unit(pixels)[255]) == (0.0, 1.0)
    assert torch.equal(to_bytes(to_unit(pixels)), pixels)
    assert torch.equal(to_bytes(from_signed_range(to_signed_range(to_unit(pixels)))), pixels)


def test_bytes_are_the_nearest_with_halves_to_even_and_clipped():
    values = torch.tensor([0.5, 1.5, 2.5, 2.4, -70.0, 300.0, torch.inf, -torch.inf], dtype=torch.float64) / 255
    assert to_bytes(values).tolist() == [0, 2, 2, 2, 0, 255, 255, 0]
    assert to_bytes(torch.tensor([0.5], dtype=torch.bfloat16)).item() == 128  # 127.5, computed in float32


def test_the_signed_range():
    assert to_signed_range(torch.tensor([0.0, 0.5, 1.0])).tolist() == [-1.0, 0.0, 1.0]
    assert from_signed_range(torch.tensor([-1.0, 0.0, 1.0])).tolist() == [0.0, 0.5, 1.0]


def test_three_channels_repeats_grey_and_leaves_colour():
    grey, colour = torch.rand(2, 1, 4, 5), torch.rand(2, 3, 4, 5)
    assert torch.equal(to_rgb(grey), grey.repeat(1, 3, 1, 1))
    assert torch.equal(to_rgb(colour), colour)
