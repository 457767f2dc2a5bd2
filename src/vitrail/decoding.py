"""Bytes of an image file to upright pixels of eight bits, grey or RGB, without torch.

Pillow reads every header and decodes all that is out of the ordinary. Where simplejpeg is installed (extra `fast`),
plain JPEGs go straight to the same decoder, libjpeg-turbo: the same bits, without Pillow's copies.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from types import ModuleType

import numpy as np
from jaxtyping import UInt8
from PIL import Image
from PIL.Image import Transpose
from PIL.JpegImagePlugin import JpegImageFile

from vitrail.errors import BadImage
from vitrail.files import AnyPath
from vitrail.image_files import display_name, read_bytes
from vitrail.image_headers import Opened, damaged_message, open_image
from vitrail.jpeg2000 import Codestream
from vitrail.pnm import Header, decode_pnm

Size = tuple[int, int]  # width, height
Pixels = UInt8[np.ndarray, "height width channels"]  # one channel, or three

STRIP = 2**20  # pixels made flat at once

ORIENTATION = 0x0112  # EXIF (CIPA DC-008); what undoes each value but 1, which is upright:
TURNS = {
    2: Transpose.FLIP_LEFT_RIGHT,
    3: Transpose.ROTATE_180,
    4: Transpose.FLIP_TOP_BOTTOM,
    5: Transpose.TRANSPOSE,
    6: Transpose.ROTATE_270,
    7: Transpose.TRANSVERSE,
    8: Transpose.ROTATE_90,
}


def decode(source: bytes | AnyPath, *, short_side: int | None = None, name: str = "image") -> tuple[Size, Image.Image]:
    """Full size (width, height) of the upright image, and the image as Pillow's 'L' or 'RGB'.

    Args:
        source: the bytes of a file, or its path.
        short_side: what the image will be resized to: a large JPEG or JPEG 2000 may then be decoded smaller than it is.
        name: what errors call the image when `source` is bytes.

    Raises:
        BadImage: not a readable image, or larger than `PIXEL_LIMIT` as decoded, or than `LARGE_LIMIT` as stored.
    """
    data, name = _bytes_of(source, name)
    return _decoded(open_image(data, name, short_side=short_side), data, name)


def decode_fast(
    source: bytes | AnyPath, *, short_side: int | None = None, name: str = "image"
) -> tuple[Size, Image.Image | Pixels]:
    """As `decode`, but the image is an array where that spares copies; the pixels are the same."""
    data, name = _bytes_of(source, name)
    opened = open_image(data, name, short_side=short_side)
    pixels = _plain_jpeg(opened, data)
    return (opened.size, pixels) if pixels is not None else _decoded(opened, data, name)


def _bytes_of(source: bytes | AnyPath, name: str) -> tuple[bytes, str]:
    return (source, name) if isinstance(source, bytes) else (read_bytes(source), display_name(source))


def _decoded(opened: Opened, data: bytes, name: str) -> tuple[Size, Image.Image]:
    try:
        return _upright(opened, data)
    except Exception as error:  # decoders of hostile bytes raise anything: OSError, ValueError, struct.error ...
        raise BadImage(damaged_message(name, error)) from error


def _plain_jpeg(opened: Opened, data: bytes) -> Pixels | None:
    """Pixels of an upright grey or RGB JPEG; None where Pillow is to do it, or to complain."""
    turbo, image, size = find_simplejpeg(), opened.image, opened.small_size
    if turbo is None or not isinstance(image, JpegImageFile) or image.mode not in ("L", "RGB"):
        return None
    if _turn(image) is not None:
        return None
    layout = "GRAY" if image.mode == "L" else "RGB"
    try:
        pixels: Pixels = turbo.decode_jpeg(data, layout, False, False, min_width=size[0], min_height=size[1])
    except ValueError:
        return None
    return pixels if pixels.shape[1::-1] == size else None


@cache
def find_simplejpeg() -> ModuleType | None:
    """The module of the fast JPEG decoder; None where it is not installed."""
    try:
        import simplejpeg
    except ImportError:
        return None
    module: ModuleType = simplejpeg
    return module


def _upright(opened: Opened, data: bytes) -> tuple[Size, Image.Image]:
    image, full = opened.image, opened.size
    if isinstance(opened.header, Header) and (opened.header.text or opened.header.maxval not in (1, 255)):
        pixels = decode_pnm(data, opened.header)
        return full, Image.fromarray(pixels.squeeze(-1) if pixels.shape[-1] == 1 else pixels)
    image.load()
    turn = _turn(image)
    flat = _flat(_full_range(image, opened.header))
    if turn is None:
        return full, flat
    sideways = turn not in (Transpose.FLIP_LEFT_RIGHT, Transpose.ROTATE_180, Transpose.FLIP_TOP_BOTTOM)
    return full[::-1] if sideways else full, flat.transpose(turn)


def _full_range(image: Image.Image, header: Codestream | Header | None) -> Image.Image:
    """A JPEG 2000 of few bits, which Pillow shifts to 8 without filling them: 1 bit would be 0 and 128."""
    if not isinstance(header, Codestream) or header.depths[0] >= 8 or image.mode in ("P", "PA"):
        return image
    largest = (2 ** header.depths[0] - 1) << (8 - header.depths[0])
    return image.point([min(255, round(value * 255 / largest)) for value in range(256)] * len(image.getbands()))


def _turn(image: Image.Image) -> Transpose | None:
    try:
        return TURNS.get(image.getexif().get(ORIENTATION, 1))
    except Exception:  # a damaged note about the camera does not damage the image, and parsers raise anything
        return None


def _flat(image: Image.Image) -> Image.Image:
    """Eight bits a channel, 'L' or 'RGB', with transparent parts on white."""
    if image.mode.startswith("I;16"):
        return _in_strips(image, "L", _eight_bits)
    if image.has_transparency_data:
        return _in_strips(image, "RGB", _on_white)
    if image.mode in ("L", "RGB"):
        return image
    return image.convert("L" if image.mode == "1" else "RGB")


def _in_strips(image: Image.Image, mode: str, flat: Callable[[Image.Image], Image.Image]) -> Image.Image:
    """`flat` of the image, strip by strip: what it makes in between would be four copies of the whole."""
    width, height = image.size
    rows = max(1, STRIP // width)
    if rows >= height:
        return flat(image)
    made = Image.new(mode, image.size)
    for top in range(0, height, rows):
        made.paste(flat(image.crop((0, top, width, min(top + rows, height)))), (0, top))
    return made


def _on_white(image: Image.Image) -> Image.Image:
    paper = Image.new("RGBA", image.size, "white")
    return Image.alpha_composite(paper, image.convert("RGBA")).convert("RGB")


def _eight_bits(image: Image.Image) -> Image.Image:
    """16-bit grey scaled to 8 bits and rounded; Pillow's `convert` would clip at 255 instead."""
    values = np.asarray(image).astype(np.uint32)
    if "transparency" in image.info:
        values[values == image.info["transparency"]] = 65535
    return Image.fromarray(((values + 128) // 257).astype(np.uint8))
