"""The header of a JPEG 2000 codestream (ISO/IEC 15444-1, annex A): size, depth, and how much work it asks for."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from math import ceil
from typing import NamedTuple

PIECES = 2_000_000
"""Most code blocks, and most packets: 250 megapixels in the smallest blocks that encoders use (32 x 32) pass."""

PARTS = 100_000  # tile parts
START, SIZE, STYLE, STYLE_OF_ONE = b"\xff\x4f\xff\x51", 0xFF51, 0xFF52, 0xFF53
TILE, DATA, END = 0xFF90, 0xFF93, 0xFFD9


@dataclass(frozen=True)
class Codestream:
    """What the header says.

    Attributes:
        size: width and height in pixels.
        depths: bits of each component.
        levels: how many times the image can be halved.
        at_origin: whether image and tiles begin at (0, 0).
        pieces: code blocks or packets, whichever are more.
    """

    size: tuple[int, int]
    depths: tuple[int, ...]
    levels: int
    at_origin: bool
    pieces: float


class _Style(NamedTuple):
    layers: int
    levels: int
    block: int  # values of the smallest code block
    precinct: int  # values of the smallest precinct


def read_codestream(data: bytes) -> Codestream:
    """The header of a JPEG 2000 file or codestream.

    Raises:
        ValueError, struct.error: it has none, or a damaged one.
    """
    start = _codestream_at(data)
    styles: list[_Style] = []
    stated, place = _segments(data, start + 2, TILE, styles)
    right, bottom, left, top, wide, high, tile_left, tile_top, count = struct.unpack_from(">8IH", stated, 2)
    depths = tuple((stated[36 + 3 * number] & 0x7F) + 1 for number in range(count))
    if not styles or not count or not wide or not high or right <= left or bottom <= top:
        raise ValueError("no size or no coding style")
    for _ in range(PARTS):
        if place + 12 > len(data) or data[place : place + 2] != TILE.to_bytes(2):
            break
        (length,) = struct.unpack_from(">I", data, place + 6)
        _segments(data, place + 12, DATA, styles)
        if length < 14:  # 0: up to the end
            break
        place += length
    else:
        raise ValueError("too many parts of tiles")
    pixels = (right - left) * (bottom - top)
    tiles = ceil((right - tile_left) / wide) * ceil((bottom - tile_top) / high)
    pieces = _pieces(styles, pixels * count, tiles * count)
    levels, origin = min(style.levels for style in styles), not (left or top or tile_left or tile_top)
    return Codestream((right - left, bottom - top), depths, levels, origin, pieces)


def _codestream_at(data: bytes) -> int:
    """Where the codestream begins: at once, or in the first box of that name."""
    if data.startswith(START):
        return 0
    place = 0
    while place + 8 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, place)
        head = 16 if length == 1 else 8
        if kind == b"jp2c":
            if not data.startswith(START, place + head):
                break
            return place + head
        length = struct.unpack_from(">Q", data, place + 8)[0] if length == 1 else length
        if length < head:
            break
        place += length
    raise ValueError("no codestream")


def _segments(data: bytes, place: int, last: int, styles: list[_Style]) -> tuple[bytes, int]:
    """The size segment of a header, and where its last marker is; coding styles are added to `styles`."""
    size = b""
    while True:
        marker, length = struct.unpack_from(">HH", data, place)
        if marker in (last, END):
            return size, place
        if marker < 0xFF00 or length < 2 or len(styles) > PARTS:
            raise ValueError("a damaged header")
        body = data[place + 4 : place + 2 + length]
        if marker == SIZE:
            size = body
        elif marker == STYLE:
            styles.append(_style(body[5:], struct.unpack_from(">H", body, 2)[0]))
        elif marker == STYLE_OF_ONE:
            styles.append(_style(body[2:], 1))
        place += 2 + length


def _style(body: bytes, layers: int) -> _Style:
    levels, width, height = struct.unpack_from(">BBB", body)
    precincts = [(size & 15, size >> 4) for size in body[5:]] or [(15, 15)]
    precinct = min(wide + high for wide, high in precincts)
    block = min(min(width + 2, max(wide - 1, 0)) + min(height + 2, max(high - 1, 0)) for wide, high in precincts)
    return _Style(layers, levels, 2**block, 2**precinct)


def _pieces(styles: list[_Style], values: int, planes: int) -> float:
    """Code blocks or packets of all `planes` (tiles times components), at worst: styles can differ by tile."""
    levels = max(style.levels for style in styles)
    blocks = values / min(style.block for style in styles) + planes * (3 * levels + 1)
    packets = values / min(style.precinct for style in styles) + planes * (levels + 1)
    return max(blocks, max(style.layers for style in styles) * packets)
