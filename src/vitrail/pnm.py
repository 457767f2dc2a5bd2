"""Portable anymaps (PBM, PGM, PPM) in the layouts that Pillow decodes value by value in Python."""

from __future__ import annotations

import re
from collections.abc import Iterator

import numpy as np
from jaxtyping import Int64, UInt8

HEADER_BYTES = 4_096
STRIP = 2**20  # values, or characters of a text, at once
_GAP = rb"(?:\s|#[^\r\n]*[\r\n])"
_HEADER = re.compile(
    rb"P([14])" + _GAP + rb"+(\d{1,9})" + _GAP + rb"+(\d{1,9})()\s"
    rb"|P([2356])" + _GAP + rb"+(\d{1,9})" + _GAP + rb"+(\d{1,9})" + _GAP + rb"+(\d{1,5})\s"
)

SPACE = re.compile(rb"\s")

Numbers = Int64[np.ndarray, " values"]
Pixels = UInt8[np.ndarray, "height width channels"]


class Header:
    """The header of a PNM file.

    Attributes:
        kind: 1 to 6, as in "P6"; up to 3 the pixels are text.
        size: width and height.
        maxval: the value of white.
        offset: where the pixels begin.

    Raises:
        ValueError: there is none in the first `HEADER_BYTES`.
    """

    def __init__(self, data: bytes) -> None:
        found = _HEADER.match(data[:HEADER_BYTES])
        if found is None:
            raise ValueError(f"no header in its first {HEADER_BYTES:,} bytes")
        kind, width, height, maxval = (group for group in found.groups() if group is not None)
        self.kind, self.size, self.offset = int(kind), (int(width), int(height)), found.end()
        self.maxval = int(maxval or 1)
        if not 0 < self.maxval < 65536:
            raise ValueError(f"a largest value of {self.maxval}")

    @property
    def text(self) -> bool:
        """Whether the pixels are decimal numbers."""
        return self.kind <= 3


def decode_pnm(data: bytes, header: Header) -> Pixels:
    """Pixels of any PNM but packed bits, scaled to 8 bits and rounded; one channel or three.

    Raises:
        ValueError: pixels are missing, or no numbers, or above the largest value.
    """
    (width, height), channels = header.size, 3 if header.kind in (3, 6) else 1
    pixels = np.empty(width * height * channels, np.uint8)
    done = 0
    for values in _numbers(data, header) if header.text else _binary(data, header):
        values = values[: len(pixels) - done]
        if len(values) and values.max() > header.maxval:
            raise ValueError(f"a value above {header.maxval}")
        pixels[done : done + len(values)] = (values * 510 + header.maxval) // (2 * header.maxval)
        done += len(values)
        if done == len(pixels):
            break
    if done < len(pixels):
        raise ValueError(f"{done:,} of {len(pixels):,} values")
    return 255 - pixels.reshape(height, width, 1) if header.kind == 1 else pixels.reshape(height, width, channels)


def _binary(data: bytes, header: Header) -> Iterator[Numbers]:
    layout = np.dtype(">u2" if header.maxval > 255 else "u1")
    count = (len(data) - header.offset) // layout.itemsize
    values = np.frombuffer(data, layout, count, header.offset)
    return (values[start : start + STRIP].astype(np.int64) for start in range(0, count, STRIP))


def _numbers(data: bytes, header: Header) -> Iterator[Numbers]:
    """The numbers of a text, piece by piece; a piece ends at the white space after a number, or at the end."""
    start = header.offset
    body = data if b"#" not in data[start:] else data[:start] + re.sub(rb"#[^\r\n]*", b" ", data[start:])
    while start < len(body):
        gap = SPACE.search(body, start + STRIP)
        end = gap.end() if gap else len(body)
        piece = body[start:end]
        if re.fullmatch(rb"[\s\d]*", piece) is None:
            raise ValueError("what is no number")
        if header.kind == 1:  # each digit is a pixel
            yield np.frombuffer(b"".join(piece.split()), np.uint8).astype(np.int64) - ord("0")
        elif not piece.isspace():
            yield np.fromstring(piece.decode("ascii"), np.int64, sep=" ")
        start = end
