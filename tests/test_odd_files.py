"""What is no image that can be read is named for what it is, in one sentence that ends in what to use."""

import io
import struct
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from vitrail.errors import BadImage
from vitrail.image_formats import FORMATS, is_installed
from vitrail.images import read_pixels

KNOWN = f"Use {', '.join(filter(is_installed, FORMATS))}."
FRAMES = "Use frames of it."


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"", f"is empty. {KNOWN}"),
        (bytes(9000), "is all zeros: it was never copied. Use a complete copy of the file."),
        (
            b"version https://git-lfs.github.com/spec/v1\noid",
            "is a Git LFS pointer: the image itself was not fetched. ",
        ),
        (b"<!DOCTYPE html><html>403", f"is HTML, not an image. {KNOWN}"),
        (b"\n <!-- a --> <HTML>", f"is HTML, not an image. {KNOWN}"),
        (b"<svg xmlns=''/>", f"is an SVG drawing. {KNOWN}"),
        (b"<?xml version='1.0'?>\n<!-- a -->\n<!DOCTYPE svg PUBLIC ''>\n<svg>", f"is an SVG drawing. {KNOWN}"),
        (b"<?xml version='1.0'?><a/>", f"is XML, not an image. {KNOWN}"),
        (b'{"error": 404}', f"is JSON, not an image. {KNOWN}"),
        (b"%PDF-1.7\n", f"is a PDF. {KNOWN}"),
        (b"%!PS-Adobe-3.0 EPSF-3.0", f"is a PostScript drawing (EPS). {KNOWN}"),
        (b"PK\3\4" + bytes(40), "is a ZIP archive. Use the images inside it."),
        (b"\x1f\x8b\x08" + bytes(40), "is a packed archive. Use what is inside it."),
        (b"8BPS\0\1" + bytes(40), f"is a Photoshop file. {KNOWN}"),
        (b"\0\0\1\0\1\0\x10\x10", f"is an icon. {KNOWN}"),
        (b"\xff\x0a\xfa\x7f", f"is JPEG XL. {KNOWN}"),
        (b"\0\0\0\x18ftypcrx \0\0\0\1crx isom", "is a camera's raw file. Use the camera's JPEG."),
        (b"\0\0\0\x18ftypisom\0\0\0\1isom", f"is a video (MP4). {FRAMES}"),
        (b"\0\0\0\x14ftypqt  \0\0\0\1", f"is a video (QuickTime). {FRAMES}"),
        (b"\x1aE\xdf\xa3" + bytes(40), f"is a video (Matroska or WebM). {FRAMES}"),
        (b"RIFF\1\1\1\1AVI LIST", f"is a video (AVI). {FRAMES}"),
        (bytes(128) + b"DICM" + bytes(40), "is a DICOM file. Use its frames."),
        (b"\x93NUMPY\1\0", f"is a NumPy array. {KNOWN}"),
        (b"\0\5\x16\7\0\2\0\0Mac OS X", "is a macOS resource file, which lies beside the image. "),
        (b"PF\n1 1\n-1.0\n", f"is an image of floating-point values. {KNOWN}"),
        (b"a,b\n1,2\n", f"is text, not an image. {KNOWN}"),
        (bytes(range(128, 256)), f"is not an image of a known format. {KNOWN}"),
    ],
)
def test_content_is_named_whatever_the_suffix_says(tmp_path, data, sentence):
    file = tmp_path / "cat.jpg"
    file.write_bytes(data)
    with pytest.raises(BadImage) as caught:
        read_pixels(file)
    assert str(caught.value).startswith(f"'{file}' {sentence}")


def tiff(bits=(8,), *, photometric=1, kind=1, compression=1, more=()):
    """One pixel."""
    tags = [(256, 4, 1), (257, 4, 1), (259, 3, compression), (262, 3, photometric), (273, 4, 400), (278, 4, 1)]
    tags += [(277, 3, len(bits)), (279, 4, 100), (339, 3, kind), *more]
    extra = struct.pack(f"<{len(bits)}H", *bits)
    entries = [struct.pack("<HHII", tag, form, 1, value) for tag, form, value in tags]
    place = 300 if len(bits) > 2 else int.from_bytes(extra.ljust(4, b"\0"), "little")
    entries.append(struct.pack("<HHII", 258, 3, len(bits), place))
    head = b"II*\0\x08\0\0\0" + struct.pack("<H", len(entries)) + b"".join(sorted(entries, key=lambda e: e[:2][::-1]))
    return head.ljust(300, b"\0") + extra.ljust(100, b"\0") + bytes(100)


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (tiff((8,) * 5), "is a TIFF of five bands. Use grey or RGB."),
        (tiff((16,) * 13), "is a TIFF of 13 bands. Use grey or RGB."),
        (tiff((32,), kind=3), "is a TIFF of 32-bit floating-point numbers, which have no agreed range. "),
        (tiff((16,), kind=2), "is a TIFF of 16-bit signed integers, which have no agreed range. "),
        (tiff((12,)), "is a TIFF of 12 bits"),
        (tiff((16,), photometric=0), "is a TIFF of 16 bits where white is 0. Use 8 or 16 unsigned bits"),
        (tiff((8,), compression=34712), "is a TIFF packed by method 34712. Use LZW or no compression."),
        (tiff((8,), more=[(254, 4, 1)]), "is a camera's raw file, of which a TIFF shows a preview only. "),
        (tiff((8,), more=[(50706, 4, 1)]), "is a camera's raw file"),
    ],
)
def test_an_odd_tiff_is_named_for_what_is_odd(data, sentence):
    with pytest.raises(BadImage) as caught:
        read_pixels(data, name="a.tif")
    assert str(caught.value).startswith(f"'a.tif' {sentence}")
    assert str(caught.value).endswith(".")


def test_a_plain_tiff_of_the_same_make_is_read():
    assert read_pixels(tiff()).shape == (3, 1, 1)
    assert read_pixels(tiff((8, 8, 8), photometric=2)).shape == (3, 1, 1)


def test_a_suffix_that_lies_is_no_matter(tmp_path):
    image = Image.fromarray(np.full((4, 4, 3), 77, np.uint8))
    for kind in ("PNG", "BMP", "PPM", "JPEG2000"):
        data = io.BytesIO()
        image.save(data, kind)
        (tmp_path / "cat.jpg").write_bytes(data.getvalue())
        assert (read_pixels(tmp_path / "cat.jpg") == 77).all()


@pytest.mark.parametrize(
    "piece", [b"<!---->", b"<!-- ", b"<?xml", b"<!DOCTYPE svg", b"[", b"{", b" ", b"<", b"<svg", b"P3 1 "]
)
def test_no_content_is_looked_at_for_ever(piece):
    """Patterns that step over what may be there many times try every way to divide it."""
    code = f"from vitrail.image_contents import describe_content as d; print(d({piece!r} * 2_000 + b'x'))"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60, stdout=subprocess.DEVNULL)
