"""The header of an image file, checked before anything is decoded: format, size, work, layout."""

import io
import struct
from typing import NamedTuple

from PIL import Image
from PIL.BmpImagePlugin import BmpImageFile
from PIL.ImageFile import ImageFile
from PIL.JpegImagePlugin import JpegImageFile

from vitrail.errors import BadImage
from vitrail.image_contents import describe_content
from vitrail.image_files import display_name
from vitrail.image_formats import FORMATS, PIXEL_LIMIT, Format, format_of, is_installed, reader_of
from vitrail.jpeg2000 import PIECES, Codestream, read_codestream
from vitrail.pnm import Header
from vitrail.tiff_layouts import describe_tiff

SCAN_LIMIT = 100 * PIXEL_LIMIT
"""Scans times pixels of a JPEG: cameras write ten scans at most; each of thousands takes milliseconds and ten bytes."""

COEFFICIENT_LIMIT = 400_000_000
"""Values of a progressive JPEG, which libjpeg holds at 16 bits each however small it is decoded: 800 MB."""

TEXT_LIMIT = PIXEL_LIMIT // 5
"""Pixels of a PNM written in decimal numbers."""

# Pillow's names of the layouts whose numbers have an agreed range. Floats, 32-bit and signed integers have none.
LAYOUTS = frozenset(
    {"1", "L", "LA", "La", "P", "PA", "RGB", "RGBA", "RGBa", "RGBX", "CMYK", "YCbCr", "I;16", "I;16B", "I;16L"}
)
START_OF_SCAN = b"\xff\xda"
# Pillow unpacks BMP's runs in Python, and makes the zeros of a jump over 255 rows before it counts them: 1.5 kB that
# say 40,000,000 x 1 pixels took 20 GB.
RUN_LENGTHS = (BmpImageFile.COMPRESSIONS["RLE8"], BmpImageFile.COMPRESSIONS["RLE4"])


class Opened(NamedTuple):
    """An image of which only the header was read.

    Attributes:
        image: set up to be decoded `scale` times smaller.
        size: width and height as stored.
        scale: 1, 2, 4, 8 ...
        header: what our own parser read, of JPEG 2000 and PNM.
    """

    image: ImageFile
    size: tuple[int, int]
    scale: int = 1
    header: Codestream | Header | None = None

    @property
    def small_size(self) -> tuple[int, int]:
        """Width and height once decoded."""
        width, height = self.size
        return -(-width // self.scale), -(-height // self.scale)


def open_image(data: bytes, name: str, *, short_side: int | None = None) -> Opened:
    """The header of an image: a known format, size and layout.

    Args:
        name: what errors call the image, as `display_name` gives it.
        short_side: what the image will be resized to: a large JPEG or JPEG 2000 is then set up to be decoded at 1/2,
            1/4 ... of its size, if that leaves twice `short_side` to average from.

    Raises:
        BadImage: empty, of another format, damaged, larger than its format's limit, of endless work, or in a layout
            without agreed range.
    """
    kind = _readable_format(data, name)
    known = FORMATS[kind]
    header = _own_header(data, name, kind)
    image = _parse(data, name, kind)
    scale = 1 if short_side is None else _scale(image, header, short_side, known.pixel_limit)
    opened = Opened(image, image.size, scale, header)
    _check_size(opened, name, kind, known)
    _check_work(opened, data, name)
    _check_layout(opened, data, name)
    if scale > 1 and isinstance(image, JpegImageFile):
        image.draft(None, (image.width // scale, image.height // scale))  # the size to stay above
    elif scale > 1:
        image.reduce = scale.bit_length() - 1  # type: ignore[method-assign, assignment]  # Pillow's way to say it
    return opened


def damaged_message(name: str, error: Exception) -> str:
    """Sentence for an image whose bytes a decoder gave up on."""
    reason = " ".join(display_name(str(error)).split()) or type(error).__name__
    return f"'{name}' is damaged or cut short ({reason}). Use a complete copy of the file."


def _readable_format(data: bytes, name: str) -> str:
    kind = format_of(data)
    if kind is None:
        content, remedy = describe_content(data)
        raise BadImage(f"'{name}' is {content}. Use {remedy or ', '.join(filter(is_installed, FORMATS))}.")
    if not is_installed(kind):
        raise BadImage(f"'{name}' is {kind}. {FORMATS[kind].remedy}.")
    return kind


def _own_header(data: bytes, name: str, kind: str) -> Codestream | Header | None:
    try:
        return read_codestream(data) if kind == "JPEG 2000" else Header(data) if kind == "PNM" else None
    except (ValueError, struct.error, IndexError) as error:
        raise BadImage(damaged_message(name, error)) from error


def _parse(data: bytes, name: str, kind: str) -> ImageFile:
    try:
        return reader_of(kind)(io.BytesIO(data))
    except Image.DecompressionBombError as error:  # WebP's reader looks for itself, as it allocates at once
        limit = FORMATS[kind].pixel_limit
        raise BadImage(f"'{name}' is too large (larger still). Use an image of up to {limit:,} pixels.") from error
    except Exception as error:  # parsers of hostile bytes raise anything: SyntaxError, OSError, struct.error ...
        layout = describe_tiff(data) if kind == "TIFF" else ""
        raise BadImage(f"'{name}' is {layout}." if layout else damaged_message(name, error)) from error


def _scale(image: ImageFile, header: Codestream | Header | None, short_side: int, limit: int) -> int:
    """How many times smaller to decode.

    Only where both sides divide: else the last column stands for less than a pixel, and the image would be stretched.
    An image above the limit could not be read otherwise; there the last column is one of a thousand.
    """
    width, height = image.size
    levels = header.levels if isinstance(header, Codestream) and header.at_origin else 0
    scales = (8, 4, 2) if isinstance(image, JpegImageFile) else [2**level for level in range(levels, 0, -1)]
    for scale in scales:
        even = width % scale == 0 == height % scale
        # Of JPEG 2000, Pillow rounds to the nearest where the codestream rounds up.
        nearest = isinstance(image, JpegImageFile) or all((-side) % scale <= scale // 2 for side in image.size)
        if min(width, height) // scale >= 2 * short_side and (even or (nearest and width * height > limit)):
            return scale
    return 1


def _check_size(opened: Opened, name: str, kind: str, known: Format) -> None:
    (width, height), (small_width, small_height) = opened.size, opened.small_size
    pixels, reducible = width * height, known.large_limit > known.pixel_limit
    if pixels <= known.large_limit and small_width * small_height <= known.pixel_limit:
        return
    limit, reason = known.pixel_limit, ""
    if reducible and pixels > known.large_limit:
        limit = known.large_limit
    elif reducible:
        reason = " to be decoded at its full size"
    elif pixels <= FORMATS["JPEG"].large_limit:
        reason = f": {kind} cannot be reduced while it is decoded"
    raise BadImage(
        f"'{name}' is too large ({width:,} x {height:,} pixels){reason}. Use an image of up to {limit:,} pixels."
    )


def _check_work(opened: Opened, data: bytes, name: str) -> None:
    """Refuses what is small in pixels and in bytes, and endless all the same."""
    image, header, pixels = opened.image, opened.header, opened.size[0] * opened.size[1]
    if isinstance(image, JpegImageFile):
        _check_scans(image, data, name, pixels)
    elif isinstance(image, BmpImageFile) and image.info.get("compression") in RUN_LENGTHS:
        raise BadImage(f"'{name}' is a BMP packed as runs, which can be endless. Use an unpacked BMP or a PNG.")
    elif isinstance(header, Header) and header.text and pixels > TEXT_LIMIT:
        raise BadImage(
            f"'{name}' is a PNM of {pixels:,} pixels written in decimal numbers. "
            f"Use up to {TEXT_LIMIT:,} pixels, or a binary PNM."
        )
    elif isinstance(header, Codestream) and header.pieces > PIECES:
        raise BadImage(
            f"'{name}' is a JPEG 2000 cut into {header.pieces:,.0f} blocks. Use one of up to {PIECES:,}, or a JPEG."
        )


def _check_scans(image: JpegImageFile, data: bytes, name: str, pixels: int) -> None:
    scans = data.count(START_OF_SCAN)
    if scans * pixels > SCAN_LIMIT:
        raise BadImage(
            f"'{name}' goes over its {pixels:,} pixels {scans:,} times. "
            f"Use an image of up to {SCAN_LIMIT // pixels:,} scans."
        )
    values = pixels * len(image.getbands())
    if scans > 1 and values > COEFFICIENT_LIMIT:
        raise BadImage(f"'{name}' is too large for a progressive JPEG ({pixels:,} pixels). Use a baseline JPEG.")


def _check_layout(opened: Opened, data: bytes, name: str) -> None:
    image, header = opened.image, opened.header
    if isinstance(header, Codestream):
        _check_codestream(header, image, name)
    elif image.mode not in LAYOUTS and not isinstance(header, Header):
        layout = describe_tiff(data) if data[:2] in (b"II", b"MM") else ""
        raise BadImage(
            f"'{name}' is {layout}."
            if layout
            else f"'{name}' stores its pixels as '{image.mode}', which has no agreed range. "
            "Use 8 or 16 unsigned bits per channel."
        )
    elif data[:2] in (b"II", b"MM") and (layout := describe_tiff(data, readable=True)):
        raise BadImage(f"'{name}' is {layout}.")


def _check_codestream(header: Codestream, image: ImageFile, name: str) -> None:
    if header.size != image.size:  # memory is taken for the one and was checked for the other
        raise BadImage(damaged_message(name, ValueError("two sizes: of the file and of the codestream")))
    if max(header.depths) > 16 or len(set(header.depths)) > 1:
        depths = ", ".join(map(str, header.depths))
        raise BadImage(f"'{name}' is a JPEG 2000 of {depths} bits a component. Use equal depths of up to 16 bits.")
