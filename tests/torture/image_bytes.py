"""Image files put together byte by byte, so that any part of one can lie; and an image that a formula gives."""

import io
import struct
import zlib
from collections.abc import Iterator
from typing import Any

import numpy as np
from PIL import Image

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
JPEG_STANDALONE = {0x01, 0xD8, 0xD9, *range(0xD0, 0xD8)}  # markers that have no length behind them
START_OF_SCAN = 0xDA


def ramps(width: int, height: int, seed: int = 0) -> np.ndarray:
    """(height, width, 3) uint8: a ramp across, one down and one both ways, smooth enough for any JPEG."""
    across = np.linspace(20, 230, width)[None, :].repeat(height, 0)
    down = np.linspace(230, 20, height)[:, None].repeat(width, 1)
    both = (across + down) / 2 + seed % 20
    return np.stack([across, down, both], axis=2).round().astype(np.uint8)


def encoded(image: Image.Image, kind: str, **options: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def exif(orientation: int) -> bytes:
    tags = Image.Exif()
    tags[0x0112] = orientation
    return tags.tobytes()


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(
    size: tuple[int, int], rows: bytes, *, depth: int = 8, colour: int = 2, before: bytes = b"", interlaced: int = 0
) -> bytes:
    """A PNG of filtered `rows`; `before` are chunks between its header and its pixels."""
    header = struct.pack(">IIBBBBB", *size, depth, colour, 0, 0, interlaced)
    body = chunk(b"IHDR", header) + before + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    return PNG_SIGNATURE + body


def png_of_one_row(size: tuple[int, int], row: bytes, *, depth: int, colour: int) -> bytes:
    """A large PNG whose rows are all `row`, packed a row at a time."""
    packer = zlib.compressobj(1)
    packed = b"".join(packer.compress(b"\0" + row) for _ in range(size[1])) + packer.flush()
    header = struct.pack(">IIBBBBB", *size, depth, colour, 0, 0, 0)
    return PNG_SIGNATURE + chunk(b"IHDR", header) + chunk(b"IDAT", packed) + chunk(b"IEND", b"")


def with_png_size(data: bytes, size: tuple[int, int]) -> bytes:
    header = struct.pack(">II", *size) + data[24:29]
    return data[:8] + chunk(b"IHDR", header) + data[33:]


def png_chunks(data: bytes) -> Iterator[int]:
    """Where each chunk begins."""
    at = len(PNG_SIGNATURE)
    while at < len(data):
        yield at
        at += 12 + struct.unpack(">I", data[at : at + 4])[0]


def jpeg_markers(data: bytes) -> Iterator[tuple[int, int]]:
    """Where each marker begins, and which it is; those within a scan too."""
    at = 0
    while at < len(data):
        marker = data[at + 1]
        yield at, marker
        at += 2 if marker in JPEG_STANDALONE else 2 + struct.unpack(">H", data[at + 2 : at + 4])[0]
        while at < len(data) and (data[at] != 0xFF or data[at + 1] == 0):  # the scan's own bytes
            at += 1


def with_jpeg_size(data: bytes, size: tuple[int, int]) -> bytes:
    at = next(at for at, marker in jpeg_markers(data) if marker in (0xC0, 0xC2)) + 5
    return data[:at] + struct.pack(">HH", size[1], size[0]) + data[at + 4 :]


def with_segment(data: bytes, marker: int, content: bytes) -> bytes:
    """A JPEG with one more segment right behind its start."""
    return data[:2] + bytes((0xFF, marker)) + struct.pack(">H", len(content) + 2) + content + data[2:]


def with_scans(data: bytes, count: int) -> bytes:
    """A progressive JPEG that goes over its pixels `count` times more."""
    last = [at for at, marker in jpeg_markers(data) if marker == START_OF_SCAN][-1]
    return data[:-2] + data[last:-2] * count + data[-2:]


def riff_chunks(data: bytes) -> Iterator[int]:
    """Where each chunk of a WebP begins."""
    at = 12
    while at < len(data):
        yield at
        size = struct.unpack("<I", data[at + 4 : at + 8])[0]
        at += 8 + size + size % 2


def with_webp_size(data: bytes, size: tuple[int, int]) -> bytes:
    at = data.index(b"VP8X") + 12
    return data[:at] + b"".join((side - 1).to_bytes(3, "little") for side in size) + data[at + 6 :]


def with_bmp_size(data: bytes, size: tuple[int, int]) -> bytes:
    return data[:18] + struct.pack("<ii", *size) + data[26:]


def with_gif_size(data: bytes, size: tuple[int, int]) -> bytes:
    """A GIF whose canvas and first frame are of another size."""
    frame = data.index(b"\x2c\0\0\0\0") + 5
    sides = struct.pack("<HH", *size)
    return data[:6] + sides + data[10:frame] + sides + data[frame + 4 :]


def run_length_bmp(size: tuple[int, int], codes: bytes) -> bytes:
    """A BMP of 256 greys whose pixels are packed as runs (RLE8)."""
    palette = bytes(value for grey in range(256) for value in (grey, grey, grey, 0))
    start = 14 + 40 + len(palette)
    about = struct.pack("<IiiHHIIiiII", 40, *size, 1, 8, 1, len(codes), 0, 0, 256, 0)
    return b"BM" + struct.pack("<IHHI", start + len(codes), 0, 0, start) + about + palette + codes


def tiff(tags: dict[int, tuple[int, int, int]], data: bytes = b"") -> bytes:
    """A little-endian TIFF of one directory, `data` right behind it; a tag is (type, count, value)."""
    entries = b"".join(struct.pack("<HHII", tag, *tags[tag]) for tag in sorted(tags))
    return b"II*\0" + struct.pack("<IH", 8, len(tags)) + entries + struct.pack("<I", 0) + data


SHORT, LONG = 3, 4


def grey_tiff(size: tuple[int, int], pixels: bytes, **changed: int) -> bytes:
    """A TIFF of 8-bit grey in one strip; `changed` are tags, as `tag_257=5`, that say otherwise."""
    tags = {256: (LONG, 1, size[0]), 257: (LONG, 1, size[1]), 258: (SHORT, 1, 8), 259: (SHORT, 1, 1)}
    tags |= {262: (SHORT, 1, 1), 277: (SHORT, 1, 1), 278: (LONG, 1, size[1]), 279: (LONG, 1, len(pixels))}
    tags[273] = (LONG, 1, 8 + 2 + 12 * (len(tags) + 1) + 4)
    for name, value in changed.items():
        tag = int(name.removeprefix("tag_"))
        tags[tag] = (*tags[tag][:2], value)
    return tiff(tags, pixels)
