"""The formats of image files: how their bytes begin, how their names end, and which this installation can decode."""

import re
from importlib import import_module
from importlib.util import find_spec
from typing import NamedTuple

from PIL import features
from PIL.ImageFile import ImageFile

PIXEL_LIMIT = 50_000_000
"""Width times height of an image as decoded: a full-frame camera passes, a decompression bomb does not."""

LARGE_LIMIT = 5 * PIXEL_LIMIT
"""Width times height of a file that is reduced while it is decoded: phones of 200 megapixels pass.

Measured at 108 megapixels, reduced to 1/8, as a peak above the process before: JPEG 10 MB, progressive JPEG
316 MB (2 bytes a value, whatever the scale), JPEG 2000 51 MB. Whole images: 48 megapixels as AVIF 470 MB, as HEIC 560.
"""


class Format(NamedTuple):
    """One kind of image file.

    Attributes:
        signature: regular expression that the first bytes match.
        reader: Pillow's class for it, as module:name; imported when the first such file is opened.
        suffixes: how names end, lower case.
        pixel_limit: of the image as decoded.
        large_limit: of the image as stored, where decoding can reduce it; else as `pixel_limit`.
        remedy: what to do where the decoder is not installed; empty: it always is.
    """

    signature: bytes
    reader: str
    suffixes: tuple[str, ...]
    pixel_limit: int = PIXEL_LIMIT
    large_limit: int = PIXEL_LIMIT
    remedy: str = ""


# What cameras, browsers, scanners and published sets of images use. Everything else stays out: each parser is a surface
# for hostile files, and some (EPS) start other programs. Naming the readers, not calling `Image.open`, also keeps
# plug-ins out and leaves our limits the only ones, with no warning at 90 million pixels from Pillow's own.
FORMATS = {
    "JPEG": Format(
        rb"\xff\xd8\xff",
        "PIL.JpegImagePlugin:JpegImageFile",
        (".jpg", ".jpeg", ".jpe", ".jfif"),
        large_limit=LARGE_LIMIT,
    ),
    "PNG": Format(rb"\x89PNG\r\n\x1a\n", "PIL.PngImagePlugin:PngImageFile", (".png", ".apng")),
    # libwebp's reader of animations, which Pillow takes for all, is slow and holds four copies of an image at once.
    "WEBP": Format(
        rb"RIFF....WEBP", "PIL.WebPImagePlugin:WebPImageFile", (".webp",), PIXEL_LIMIT // 2, PIXEL_LIMIT // 2
    ),
    "BMP": Format(rb"BM", "PIL.BmpImagePlugin:BmpImageFile", (".bmp", ".dib")),
    "GIF": Format(rb"GIF8[79]a", "PIL.GifImagePlugin:GifImageFile", (".gif",)),
    "TIFF": Format(rb"II[*+]\0|MM\0[*+]", "PIL.TiffImagePlugin:TiffImageFile", (".tif", ".tiff")),
    "AVIF": Format(
        rb"....ftyp(avi[fs]|(mif1|msf1)....(....){0,8}?avi[fs])",
        "PIL.AvifImagePlugin:AvifImageFile",
        (".avif", ".avifs"),
        remedy="Use a Pillow that decodes AVIF, or a JPEG",
    ),
    # OpenJPEG works in 32 bits a value and decodes a tile, which may be the image, at once: 18 bytes a pixel.
    "JPEG 2000": Format(
        rb"\xff\x4f\xff\x51|\0\0\0\x0cjP  \r\n\x87\n",
        "PIL.Jpeg2KImagePlugin:Jpeg2KImageFile",
        (".jp2", ".j2k", ".j2c", ".jpc", ".jpx", ".jpf"),
        PIXEL_LIMIT // 2,
        LARGE_LIMIT,
        "Use a Pillow that decodes JPEG 2000, or a JPEG",
    ),
    "PNM": Format(rb"P[1-6][\s#]", "PIL.PpmImagePlugin:PpmImageFile", (".pnm", ".ppm", ".pgm", ".pbm")),
    "HEIC": Format(
        rb"....ftyp(he[iv][cxms]|(mif1|msf1)....(....){0,8}?he[iv][cxms])",
        "pi_heif:HeifImageFile",
        (".heic", ".heif", ".heics", ".heifs", ".hif"),
        remedy="Use `pip install 'vitrail[formats]'`, or a JPEG",
    ),
}


def is_installed(name: str) -> bool:
    """Whether this installation decodes a format; nothing is imported to find out."""
    if name == "JPEG 2000":
        return bool(features.check_codec("jpg_2000"))
    if name == "AVIF":
        return find_spec("PIL._avif") is not None
    return name != "HEIC" or find_spec("pi_heif") is not None


SUFFIXES = tuple(suffix for name, known in FORMATS.items() if is_installed(name) for suffix in known.suffixes)
"""How names of image files end that can be read on this machine, lower case."""

UNREADABLE = {
    **{suffix: name for name, known in FORMATS.items() if not is_installed(name) for suffix in known.suffixes},
    **dict.fromkeys((".cr2", ".cr3", ".nef", ".arw", ".dng", ".raf", ".orf", ".rw2", ".pef", ".srw"), "camera raw"),
    **dict.fromkeys((".svg", ".svgz"), "SVG"),
    **dict.fromkeys((".psd", ".psb"), "Photoshop"),
    **dict.fromkeys((".eps", ".ps", ".ai"), "PostScript"),
    **dict.fromkeys((".ico", ".cur", ".icns"), "icon"),
    **dict.fromkeys((".dcm", ".dicom"), "DICOM"),
    **dict.fromkeys((".fits", ".fit", ".fts"), "FITS"),
    ".jxl": "JPEG XL",
    ".jxr": "JPEG XR",
    ".pdf": "PDF",
    ".xcf": "GIMP",
    ".exr": "OpenEXR",
    ".hdr": "Radiance HDR",
    ".pfm": "PFM",
    ".pam": "PAM",
    ".tga": "TGA",
    ".dds": "DDS",
    ".pcx": "PCX",
    ".djvu": "DjVu",
}
"""Suffix, lower case -> format, of image files that cannot be read on this machine: count them, and say so."""


def format_of(data: bytes) -> str | None:
    """The name in `FORMATS` of what these bytes begin as, its decoder installed or not; None: no known format."""
    begin = data[:64]
    return next((name for name, known in FORMATS.items() if re.match(known.signature, begin, re.DOTALL)), None)


def reader_of(name: str) -> type[ImageFile]:
    """Pillow's class that reads a format."""
    module, _, attribute = FORMATS[name].reader.partition(":")
    reader: type[ImageFile] = getattr(import_module(module), attribute)
    return reader
