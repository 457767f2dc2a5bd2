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
from PIL.ImageFile import ImageFile
from PIL.JpegImagePlugin import JpegImageFile

from vitrail.errors import BadImage
from vitrail.files import AnyPath
from vitrail.image_files import damaged_message, display_name, open_image, read_bytes

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
        short_side: what the image will be resized to: a large JPEG may then be decoded smaller than it is.
        name: what errors call the image when `source` is bytes.

    Raises:
        BadImage: not a readable image, or larger than `PIXEL_LIMIT`.
    """
    data, name = _bytes_of(source, name)
    return _decoded(open_image(data, name), short_side, name)


def decode_fast(
    source: bytes | AnyPath, *, short_side: int | None = None, name: str = "image"
) -> tuple[Size, Image.Image | Pixels]:
    """As `decode`, but the image is an array where that spares copies; the pixels are the same."""
    data, name = _bytes_of(source, name)
    opened = open_image(data, name)
    pixels = _plain_jpeg(opened, data, short_side)
    return (opened.size, pixels) if pixels is not None else _decoded(opened, short_side, name)


def _bytes_of(source: bytes | AnyPath, name: str) -> tuple[bytes, str]:
    return (source, name) if isinstance(source, bytes) else (read_bytes(source), display_name(source))


def _decoded(opened: ImageFile, short_side: int | None, name: str) -> tuple[Size, Image.Image]:
    try:
        return _upright(opened, short_side)
    except Exception as error:  # decoders of hostile bytes raise anything: OSError, ValueError, struct.error ...
        raise BadImage(damaged_message(name, error)) from error


def _plain_jpeg(opened: ImageFile, data: bytes, short_side: int | None) -> Pixels | None:
    """Pixels of an upright grey or RGB JPEG; None where Pillow is to do it, or to complain."""
    turbo = find_simplejpeg()
    if turbo is None or not isinstance(opened, JpegImageFile) or opened.mode not in ("L", "RGB"):
        return None
    if _turn(opened) is not None:
        return None
    layout = "GRAY" if opened.mode == "L" else "RGB"
    size = opened.size if short_side is None else _small_size(opened, short_side) or opened.size
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


def _upright(opened: ImageFile, short_side: int | None) -> tuple[Size, Image.Image]:
    full = opened.size
    if short_side is not None and isinstance(opened, JpegImageFile):
        opened.draft(None, _small_size(opened, short_side) or opened.size)
    opened.load()
    turn = _turn(opened)
    flat = _flat(opened)
    if turn is None:
        return full, flat
    sideways = turn not in (Transpose.FLIP_LEFT_RIGHT, Transpose.ROTATE_180, Transpose.FLIP_TOP_BOTTOM)
    return full[::-1] if sideways else full, flat.transpose(turn)


def _small_size(opened: JpegImageFile, short_side: int) -> Size | None:
    """1/8, 1/4 or 1/2 of a large JPEG's size to decode it at, if that leaves twice `short_side` to average from.

    Only where both sides divide: else the last column stands for less than a pixel, and the image would be stretched.
    """
    for scale in (8, 4, 2):
        width, height = opened.width // scale, opened.height // scale
        if min(width, height) >= 2 * short_side and (width * scale, height * scale) == opened.size:
            return width, height
    return None


def _turn(image: ImageFile) -> Transpose | None:
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
