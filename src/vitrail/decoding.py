"""Bytes of a picture file to upright pixels of eight bits, grey or RGB, without torch."""

from __future__ import annotations

import numpy as np
from PIL import Image
from PIL.Image import Transpose
from PIL.ImageFile import ImageFile
from PIL.JpegImagePlugin import JpegImageFile

from vitrail.errors import BadPicture
from vitrail.image_files import AnyPath, damaged, display_name, open_picture, read_bytes

Size = tuple[int, int]  # width, height

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


def decode(
    source: bytes | AnyPath, *, short_side: int | None = None, name: str = "picture"
) -> tuple[Size, Image.Image]:
    """Full size (width, height) of the upright picture, and the picture as Pillow's 'L' or 'RGB'.

    Args:
        source: the bytes of a file, or its path.
        short_side: what the picture will be resized to: a large JPEG may then be decoded smaller than it is.
        name: what errors call the picture when `source` is bytes.

    Raises:
        BadPicture: not a readable picture, or larger than `PIXEL_LIMIT`.
    """
    data = source if isinstance(source, bytes) else read_bytes(source)
    name = name if isinstance(source, bytes) else display_name(source)
    opened = open_picture(data, name)
    try:
        return _upright(opened, short_side)
    except Exception as error:  # decoders of hostile bytes raise anything: OSError, ValueError, struct.error ...
        raise BadPicture(damaged(name, error)) from error


def _upright(opened: ImageFile, short_side: int | None) -> tuple[Size, Image.Image]:
    full = opened.size
    if short_side is not None and isinstance(opened, JpegImageFile):
        _draft(opened, short_side)
    opened.load()
    turn = _turn(opened)
    flat = _flat(opened)
    if turn is None:
        return full, flat
    sideways = turn not in (Transpose.FLIP_LEFT_RIGHT, Transpose.ROTATE_180, Transpose.FLIP_TOP_BOTTOM)
    return full[::-1] if sideways else full, flat.transpose(turn)


def _draft(opened: JpegImageFile, short_side: int) -> None:
    """Have a large JPEG decoded at 1/8, 1/4 or 1/2 of its size, if that leaves twice `short_side` to average from.

    Only where both sides divide: else the last column stands for less than a pixel, and the picture would be stretched.
    """
    for scale in (8, 4, 2):
        width, height = opened.width // scale, opened.height // scale
        if min(width, height) >= 2 * short_side and (width * scale, height * scale) == opened.size:
            opened.draft(None, (width, height))
            return


def _turn(picture: ImageFile) -> Transpose | None:
    try:
        return TURNS.get(picture.getexif().get(ORIENTATION, 1))
    except Exception:  # a damaged note about the camera does not damage the picture, and parsers raise anything
        return None


def _flat(picture: Image.Image) -> Image.Image:
    """Eight bits a channel, 'L' or 'RGB', with transparent parts on white."""
    if picture.mode.startswith("I;16"):
        return _eight_bits(picture)
    if picture.has_transparency_data:
        paper = Image.new("RGBA", picture.size, "white")
        return Image.alpha_composite(paper, picture.convert("RGBA")).convert("RGB")
    if picture.mode in ("L", "RGB"):
        return picture
    return picture.convert("L" if picture.mode == "1" else "RGB")


def _eight_bits(picture: Image.Image) -> Image.Image:
    """16-bit grey scaled to 8 bits and rounded; Pillow's `convert` would clip at 255 instead."""
    values = np.asarray(picture).astype(np.uint32)
    if "transparency" in picture.info:
        values[values == picture.info["transparency"]] = 65535
    return Image.fromarray(((values + 128) // 257).astype(np.uint8))
