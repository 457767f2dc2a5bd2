"""Many images on one page, each with its caption; drawn with Pillow alone."""

import re
from collections.abc import Sequence
from functools import lru_cache
from importlib.util import find_spec
from io import BytesIO
from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from PIL import Image, ImageDraw, ImageFont

from vitrail.plots.labels import escape_missing_glyphs, readable, shorten
from vitrail.plots.style import INK, PALE
from vitrail.plots.thumbnail import thumbnail

Font = ImageFont.FreeTypeFont

_TILE, _GAP = 168, 14  # pixels
_SIZE, _LEADING = 13, 17  # pixels: the letters' height, from line to line
_LINES = 3  # of a caption; what does not fit is shortened in the middle
_STAND_INS = {"→": "->", "\u00a0": " "}  # for what captions often hold and Pillow's own font lacks
_NOWHERE = "\U0010ffff"  # no font has a glyph for this one: what is drawn is the font's sign for "missing"


def contact_sheet(
    images: Sequence[UInt8[np.ndarray, "_ _ 3"]], captions: Sequence[str] = (), columns: int = 6
) -> bytes:
    """PNG of all images in rows of equal tiles, whole and centred, their captions below.

    Args:
        images: RGB, each of its own size; at least one.
        captions: one per image, or none at all.
    """
    texts = [caption_lines(caption) for caption in captions]
    below = max(map(len, texts), default=0) * _LEADING + (6 if texts else 0)
    columns = min(columns, len(images))
    rows = -(-len(images) // columns)
    across, down = _TILE + _GAP, _TILE + below + _GAP
    sheet = Image.new("RGB", (columns * across + _GAP, rows * down + _GAP), "white")
    pen = ImageDraw.Draw(sheet)
    for index, pixels in enumerate(images):
        left, top = _GAP + index % columns * across, _GAP + index // columns * down
        pen.rectangle((left, top, left + _TILE - 1, top + _TILE - 1), fill=PALE)
        image = thumbnail(pixels, _TILE)
        sheet.paste(image, (left + (_TILE - image.width) // 2, top + (_TILE - image.height) // 2))
        for line, text in enumerate(texts[index] if texts else ()):
            place = (left + _TILE // 2, top + _TILE + 6 + line * _LEADING)
            pen.text(place, text, fill=INK, font=drawn_font(), anchor="ma", direction=_direction())
    out = BytesIO()
    sheet.save(out, "PNG")
    return out.getvalue()


def caption_lines(caption: str) -> list[str]:
    """The caption as at most `_LINES` lines no wider than a tile."""
    for sign, plain in _STAND_INS.items():
        caption = caption if has_glyph(sign) else caption.replace(sign, plain)
    text = escape_missing_glyphs(" ".join(map(readable, re.split(r"[ \t\r\n]+", caption))), has_glyph)
    limit = _LINES * _TILE // 3  # no letter is narrower than 3 pixels; from there, an eighth less in each round
    while len(lines := _wrap(shorten(text, limit))) > _LINES:
        limit = limit * 7 // 8
    return lines


def _wrap(text: str) -> list[str]:
    """Lines no wider than a tile, broken at spaces where there are any."""
    lines: list[str] = []
    for word in text.split(" "):
        if lines and text_width(f"{lines[-1]} {word}") <= _TILE:
            lines[-1] += f" {word}"
            continue
        while text_width(word) > _TILE:
            fits = next(end for end in range(len(word) - 1, 0, -1) if text_width(word[:end]) <= _TILE)
            lines.append(word[:fits])
            word = word[fits:]
        lines.append(word)
    return lines


def text_width(text: str) -> float:
    """How wide a line of `drawn_font` is, in pixels."""
    return drawn_font().getlength(text)


def _direction() -> str | None:
    """Left to right as a whole, or a caption that begins with a Hebrew name would put its arrow and figure first."""
    return (
        "ltr" if drawn_font().layout_engine == ImageFont.Layout.RAQM else None
    )  # the other engine knows no directions


@lru_cache(maxsize=1)
def drawn_font() -> Font:
    """DejaVu Sans, which has most alphabets, if matplotlib brought it; else Pillow's own, little more than ASCII."""
    matplotlib = find_spec("matplotlib")
    if matplotlib and matplotlib.origin:
        path = Path(matplotlib.origin).parent / "mpl-data" / "fonts" / "ttf" / "DejaVuSans.ttf"
        if path.is_file():
            return ImageFont.truetype(path, _SIZE)
    built_in = ImageFont.load_default(_SIZE)
    assert isinstance(built_in, Font)  # a Pillow without FreeType could not have come from a wheel
    return built_in


@lru_cache(maxsize=4096)
def has_glyph(character: str) -> bool:
    """Whether the font draws this character."""
    return bytes(drawn_font().getmask(character)) != bytes(drawn_font().getmask(_NOWHERE))
