"""What is unusual about a TIFF, in words: its bands, its numbers, or that it is a camera's raw file."""

import io

from PIL.TiffImagePlugin import COMPRESSION_INFO, ImageFileDirectory_v2

PLAIN_16 = "16 bits, black as 0"
SUBFILE, BITS, COMPRESSION, PHOTOMETRIC, BANDS, SAMPLE_FORMAT, DNG = 254, 258, 259, 262, 277, 339, 50706
INVERTED, COLOUR = 0, 2
NUMBERS = {2: "signed integers", 3: "floating-point numbers", 5: "complex integers", 6: "complex numbers"}
WORDS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
REMEDY = "Use 8 or 16 unsigned bits per channel"


def describe_tiff(data: bytes, *, readable: bool = False) -> str:
    """Why a TIFF cannot be read, as in "is a TIFF of five bands. Use ..." without its end; empty: nothing is unusual.

    Args:
        readable: Pillow reads it; look only for what would come out wrong.
    """
    tags = _tags(data)
    if not tags:
        return ""
    if DNG in tags or data[8:10] == b"CR" or (readable and _number(tags, SUBFILE) & 1):
        return "a camera's raw file, of which a TIFF shows a preview only. Use the camera's JPEG"
    bits = tags.get(BITS, (1,))
    bits = bits if isinstance(bits, tuple) else (bits,)
    inverted = _number(tags, PHOTOMETRIC, 1) == INVERTED
    if readable:
        deep = max(bits) > 8 and len(bits) == 1
        if deep and (bits != (16,) or _number(tags, PHOTOMETRIC, 1) != 1):
            return f"a TIFF of {bits[0]} bits{' where white is 0' if inverted else ''}. {REMEDY}, with black as 0"
        return ""
    numbers = NUMBERS.get(_number(tags, SAMPLE_FORMAT, 1))
    if numbers:
        return f"a TIFF of {max(bits)}-bit {numbers}, which have no agreed range. {REMEDY}"
    bands = _number(tags, BANDS, 1)
    if bands > 4 or bands == 2:
        return f"a TIFF of {WORDS[bands] if bands < len(WORDS) else f'{bands:,}'} bands. Use grey or RGB"
    if len(set(bits)) > 1 or max(bits) not in (1, 2, 4, 8, 16):
        return f"a TIFF of {', '.join(map(str, dict.fromkeys(bits)))} bits a band, which have no agreed range. {REMEDY}"
    if _number(tags, COMPRESSION, 1) not in COMPRESSION_INFO:
        return f"a TIFF packed by method {_number(tags, COMPRESSION, 1)}. Use LZW or no compression"
    return ""


def _tags(data: bytes) -> dict[int, object]:
    """Tags of the first image; none where the directory is damaged."""
    try:
        big = data[2:4] in (b"+\0", b"\0+")
        directory = ImageFileDirectory_v2(data[: 16 if big else 8])
        stream = io.BytesIO(data)
        stream.seek(directory.next)
        directory.load(stream)
        return dict(directory)
    except Exception:  # a parser of hostile bytes raises anything
        return {}


def _number(tags: dict[int, object], tag: int, default: int = 0) -> int:
    value = tags.get(tag, default)
    value = value[0] if isinstance(value, tuple) and value else value
    return value if isinstance(value, int) else default
