"""AVIF, JPEG 2000, PNM and HEIC: the right pixels, upright, once; and what is said where a decoder is missing."""

import io
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from vitrail import image_formats, image_headers
from vitrail.errors import BadImage
from vitrail.image_files import find_images
from vitrail.image_formats import FORMATS, SUFFIXES, UNREADABLE, is_installed
from vitrail.images import read_pixels

HEIC = Path(__file__).parent / "image_files"
needs_heic = pytest.mark.skipif(not is_installed("HEIC"), reason="Needs the extra `formats`.")
QUADRANTS = ((200, 30, 30), (30, 180, 40), (40, 50, 200), (220, 220, 220))


def quadrants(width=64, height=48):
    """Four colours, so that every turn of the image shows."""
    pixels = np.zeros((height, width, 3), np.uint8)
    for number, colour in enumerate(QUADRANTS):
        rows, columns = divmod(number, 2)
        pixels[height // 2 * rows :, width // 2 * columns : width // 2 * (columns + 1)] = colour
    return Image.fromarray(pixels)


def encoded(image, kind, **options):
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def corners(pixels):
    return pixels[:, [8, 8, -8, -8], [8, -8, 8, -8]].T.numpy().astype(int)


def near(pixels, expected=QUADRANTS, tolerance=4):
    assert np.abs(corners(pixels) - np.array(expected)).max() <= tolerance, corners(pixels)


@pytest.mark.parametrize("options", [{}, {"no_jp2": True}, {"tile_size": (16, 16)}, {"num_resolutions": 1}])
def test_jpeg_2000_gives_its_pixels(options):
    image = quadrants()
    np.testing.assert_array_equal(
        read_pixels(encoded(image, "JPEG2000", **options)), np.asarray(image).transpose(2, 0, 1)
    )


def test_signed_components_of_jpeg_2000_begin_at_black():
    # Pillow writes the bytes of 0 to 255 as signed ones: 200 as -56, which is 72 above the least, -128.
    pixels = read_pixels(encoded(quadrants(), "JPEG2000", signed=True))
    np.testing.assert_array_equal(corners(pixels), np.array(QUADRANTS) ^ 128)


def test_few_bits_of_jpeg_2000_are_spread_over_the_whole_range():
    data = bytearray(encoded(Image.fromarray(np.array([[0, 1, 14, 15]], np.uint8)), "JPEG2000", no_jp2=True))
    data[data.index(b"\xff\x51") + 40] = 3  # of 8 bits, now 4; lossless, so that the values stay 128 below the middle
    pixels = read_pixels(bytes(data))[0, 0].tolist()
    assert set(pixels) <= {round(value * 17) for value in range(16)}


def test_deep_grey_of_jpeg_2000_is_scaled():
    values = np.arange(0, 65536, 257, dtype=np.uint16).reshape(16, 16)
    assert read_pixels(encoded(Image.fromarray(values), "JPEG2000"))[0].flatten().tolist() == list(range(256))


@pytest.mark.parametrize("kind", ["JPEG2000", "AVIF"])
def test_transparency_lies_on_white(kind):
    image = quadrants().convert("RGBA")
    image.paste((220, 220, 220, 0), (32, 24, 64, 48))
    near(read_pixels(encoded(image, kind, **({"quality": 95} if kind == "AVIF" else {}))), (*QUADRANTS[:3], (255,) * 3))


@pytest.mark.parametrize("kind", ["JPEG2000", "AVIF", "PPM"])
def test_grey_gives_three_equal_channels(kind):
    pixels = read_pixels(encoded(quadrants().convert("L"), kind))
    assert (pixels[0] == pixels[1]).all()
    near(pixels, [[level] * 3 for level in (81, 119, 64, 220)])


@pytest.mark.parametrize("turn", [None, *Image.Transpose])
def test_avif_is_turned_once(turn):
    orientation = {None: 1, 0: 2, 3: 3, 1: 4, 5: 5, 4: 8, 6: 7, 2: 6}[turn]
    undone = {2: 4, 4: 2}.get(turn, turn)
    stored = quadrants() if turn is None else quadrants().transpose(Image.Transpose(turn))
    assert undone is None or orientation != 1
    exif = Image.Exif()
    exif[0x0112] = orientation
    pixels = read_pixels(encoded(stored, "AVIF", exif=exif, quality=95))
    assert pixels.shape == (3, 48, 64)
    near(pixels)


def test_an_animated_avif_gives_its_first_frame():
    frames = [Image.new("RGB", (64, 48), colour) for colour in ("black", "white")]
    data = encoded(quadrants(), "AVIF", save_all=True, append_images=frames, quality=95)
    assert data[8:12] == b"avis"
    near(read_pixels(data))


@needs_heic
@pytest.mark.parametrize("name", ["plain", "turned", "deep", "two"])
def test_heic_is_read_upright_and_of_several_the_first(name):
    data = (HEIC / f"{name}.heic").read_bytes()
    assert (b"irot" in data) == (name == "turned")
    pixels = read_pixels(HEIC / f"{name}.heic")
    assert pixels.shape == (3, 48, 64)
    near(pixels)


@needs_heic
def test_transparent_and_grey_heic():
    near(read_pixels(HEIC / "alpha.heic"), (*QUADRANTS[:3], (255,) * 3))
    near(read_pixels(HEIC / "grey.heic"), [[level] * 3 for level in (81, 119, 64, 220)])


@pytest.mark.parametrize("maxval", [1, 7, 100, 255, 256, 4095, 65535])
@pytest.mark.parametrize("text", [False, True])
@pytest.mark.parametrize("channels", [1, 3])
def test_pnm_of_any_largest_value_is_scaled_and_rounded(maxval, text, channels):
    values = np.random.default_rng(0).integers(0, maxval + 1, (5, 4, channels))
    magic = {(1, False): 5, (3, False): 6, (1, True): 2, (3, True): 3}[channels, text]
    body = values.astype("u1" if maxval < 256 else ">u2").tobytes()
    if text:
        body = b"\n# a note\n".join(" ".join(map(str, row.flatten())).encode() for row in values)
    pixels = read_pixels(b"P%d # 9 9\n4\t5\n%d\n" % (magic, maxval) + body)
    expected = np.floor(values * 255 / maxval + 0.5).transpose(2, 0, 1)
    np.testing.assert_array_equal(pixels, np.broadcast_to(expected, (3, 5, 4)))


@pytest.mark.parametrize("data", [b"P1 4 2 0110\n1 0 0 1", b"P4 4 2\n\x60\x90"])
def test_bits_of_pnm_are_black_where_they_are_one(data):
    assert read_pixels(data)[0].tolist() == [[255, 0, 0, 255], [0, 255, 255, 0]]


@pytest.mark.parametrize(
    "data",
    [
        b"P2 2 1 9 3",  # a value is missing
        b"P2 2 1 9 3 10",  # above the largest
        b"P2 2 1 9 3 -1",
        b"P5 2 1 4095\n\1\1\1",
        b"P5 2 1 4095\n\x10\0\0\0",
        b"P5 2 1 0\n\0\0",
        b"P6 2 1",
        b"P5 #" + b"x" * 5000 + b"\n1 1 255\n\0",
    ],
)
def test_a_damaged_pnm_is_refused(data):
    with pytest.raises(BadImage, match="'scan' is damaged or cut short"):
        read_pixels(data, name="scan")


def test_text_is_read_piece_by_piece_at_any_place(monkeypatch):
    values = np.random.default_rng(1).integers(0, 1000, 300)
    data = b"P2 20 15 999\n" + " ".join(map(str, values)).encode()
    whole = read_pixels(data)
    monkeypatch.setattr("vitrail.pnm.STRIP", 7)
    assert (read_pixels(data) == whole).all()


def test_much_text_is_refused_before_it_is_read():
    with pytest.raises(BadImage, match=r"a PNM of 16,000,000 pixels written in decimal numbers. Use up to 10,000,000"):
        read_pixels(b"P2 4000 4000 255\n")


# --- which formats --------------------------------------------------------------------------------------------------


def test_each_suffix_is_either_read_or_named_as_unreadable():
    assert not set(SUFFIXES) & UNREADABLE.keys()
    for name, known in FORMATS.items():
        for suffix in known.suffixes:
            assert (suffix in SUFFIXES) if is_installed(name) else (UNREADABLE[suffix] == name)
    assert {".nef": "camera raw", ".svg": "SVG", ".psd": "Photoshop"}.items() <= UNREADABLE.items()


@pytest.mark.parametrize(
    ("name", "remedy"), [("HEIC", r"`pip install 'vitrail\[formats\]'`, or"), ("AVIF", "a Pillow that")]
)
def test_a_format_without_its_decoder_is_named_with_what_helps(name, remedy, monkeypatch):
    data = (HEIC / "plain.heic").read_bytes() if name == "HEIC" else encoded(quadrants(), "AVIF")
    monkeypatch.setattr(image_headers, "is_installed", lambda each: each != name)
    with pytest.raises(BadImage, match=rf"^'x.heic' is {name}\. Use {remedy}.* a JPEG\.$"):
        read_pixels(data, name="x.heic")


def test_to_list_a_folder_imports_no_decoder(tmp_path):
    (tmp_path / "a.png").write_bytes(encoded(quadrants(), "PNG"))
    (tmp_path / "b.heic").write_bytes((HEIC / "plain.heic").read_bytes())
    code = (
        "import sys, vitrail; from vitrail.image_files import find_images; print(len(find_images(sys.argv[1])));"
        "assert not {'pi_heif', 'torch', 'PIL.AvifImagePlugin', 'PIL._avif'} & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.strip()) == (0, str(len(find_images(tmp_path)))), done.stderr


def test_without_the_extra_the_suffixes_are_unreadable(tmp_path):
    code = (
        "import importlib.util as u; find = u.find_spec;"
        "u.find_spec = lambda name, *a: None if name in ('pi_heif', 'PIL._avif') else find(name, *a);"
        "from vitrail.image_formats import SUFFIXES, UNREADABLE;"
        "assert UNREADABLE['.heic'] == 'HEIC' and UNREADABLE['.avif'] == 'AVIF';"
        "assert not {'.heic', '.avif'} & set(SUFFIXES) and '.jpg' in SUFFIXES"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_brands_of_a_container_tell_its_format():
    assert image_formats.format_of(b"\0\0\0\x20ftypmif1\0\0\0\0mif1heicmiaf") == "HEIC"
    assert image_formats.format_of(b"\0\0\0\x20ftypmif1\0\0\0\0avifmif1miaf") == "AVIF"
    assert image_formats.format_of(b"\0\0\0\x20ftypmsf1\0\0\0\0msf1hevciso8") == "HEIC"
    assert image_formats.format_of(b"\0\0\0\x20ftypisom\0\0\0\0isommp41avc1") is None
