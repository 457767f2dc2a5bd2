"""Image files: find them, name them safely, read their bytes once, and check a header before anything is decoded."""

import glob
import io
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from PIL import Image
from PIL.BmpImagePlugin import BmpImageFile
from PIL.GifImagePlugin import GifImageFile
from PIL.ImageFile import ImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.TiffImagePlugin import TiffImageFile
from PIL.WebPImagePlugin import WebPImageFile

from vitrail import reading
from vitrail.errors import BadFolder, BadImage
from vitrail.files import AnyPath
from vitrail.folder_walk import LeftOut, is_system_file, kind_of, walk_files
from vitrail.formatting import display_name as display_name
from vitrail.tables import is_table, iter_listed_files
from vitrail.tars import is_tar, list_members, read_member, split_tar_path
from vitrail.validation import paths_of

PIXEL_LIMIT = 50_000_000
"""Width times height, as the header states them: a full-frame camera passes, a decompression bomb does not."""

BYTE_LIMIT = 8 * PIXEL_LIMIT
"""Bytes of a file: the largest image allowed, uncompressed, in the widest layout read (16 bits, RGBA)."""

SCAN_LIMIT = 100 * PIXEL_LIMIT
"""Scans times pixels of a JPEG: cameras write ten scans at most; each of thousands takes milliseconds and ten bytes."""


class Format(NamedTuple):
    """One kind of file that is read: how its bytes begin, who reads them, how its names end."""

    signature: bytes  # regular expression
    reader: type[ImageFile]
    suffixes: tuple[str, ...]
    pixel_limit: int = PIXEL_LIMIT


# What cameras, browsers and published sets of images use. Everything else stays out: each parser is a surface for
# hostile files, and some (EPS) start other programs. Naming the readers, not calling `Image.open`, also keeps plug-ins
# out and leaves `PIXEL_LIMIT` the only limit, with no warning at 90 million pixels from Pillow's own.
FORMATS = {
    "JPEG": Format(rb"\xff\xd8\xff", JpegImageFile, (".jpg", ".jpeg", ".jpe", ".jfif")),
    "PNG": Format(rb"\x89PNG\r\n\x1a\n", PngImageFile, (".png", ".apng")),
    # libwebp's reader of animations, which Pillow takes for all, is slow and holds four copies of an image at once.
    "WEBP": Format(rb"RIFF....WEBP", WebPImageFile, (".webp",), PIXEL_LIMIT // 2),
    "BMP": Format(rb"BM", BmpImageFile, (".bmp", ".dib")),
    "GIF": Format(rb"GIF8[79]a", GifImageFile, (".gif",)),
    "TIFF": Format(rb"II[*+]\0|MM\0[*+]", TiffImageFile, (".tif", ".tiff")),
}

SUFFIXES = tuple(suffix for known in FORMATS.values() for suffix in known.suffixes)

# Pillow's names of the layouts whose numbers have an agreed range. Floats, 32-bit and signed integers have none.
LAYOUTS = frozenset(
    {"1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBa", "RGBX", "CMYK", "YCbCr", "I;16", "I;16B", "I;16L"}
)
START_OF_SCAN = b"\xff\xda"
# Pillow unpacks BMP's runs in Python, and makes the zeros of a jump over 255 rows before it counts them: 1.5 kB that
# say 40,000,000 x 1 pixels took 20 GB.
RUN_LENGTHS = (BmpImageFile.COMPRESSIONS["RLE8"], BmpImageFile.COMPRESSIONS["RLE4"])
TIFF_BITS, TIFF_PHOTOMETRIC, TIFF_BLACK_IS_ZERO = 258, 262, 1


def is_image_name(name: str) -> bool:
    """Whether a file of this name is taken for an image: by its suffix, and if it is not hidden."""
    return name.lower().endswith(SUFFIXES) and not is_system_file(name)


def skipped_entry(file: AnyPath, error: BadImage) -> dict[str, str]:
    """An image that was left out, as `result.json` names it: `file`, `kind` and `reason`."""
    return {"file": display_name(file), "kind": error.kind or "unreadable", "reason": str(error)}


def none_readable(skipped: Sequence[Mapping[str, str]]) -> BadImage:
    """The error where every image was left out; it tells why the first one was."""
    first = skipped[0]
    return BadImage(f"No image could be read. The first: {first['reason']}", kind=first["kind"], path=first["file"])


def find_images(paths: AnyPath | Sequence[AnyPath], left_out: LeftOut | None = None) -> list[Path]:
    """Image files that one path or several name, as `iter_images` finds them."""
    return list(iter_images(paths, left_out))


def iter_images(paths: AnyPath | Sequence[AnyPath], left_out: LeftOut | None = None) -> Iterator[Path]:
    """Image files that `paths` name, in the order of `paths` and sorted within each; of several paths each file once.

    Args:
        paths: files (taken as they are), folders (searched at every depth for the suffixes of `FORMATS`, hidden names
            left out, links followed, each real folder once; or, if they hold no image, for tar files), glob patterns
            (`**` crosses folders), tar files (in the order of the archive) and tables (CSV or Parquet with a column
            `file`, in their order).
        left_out: counts the files in folders that are no images, by kind.

    Raises:
        BadSetting: a path that can be none, such as an empty one.
        BadImage: a path names nothing.
        BadFolder: a folder, tar file or table holds no image, or cannot be read.
    """
    paths = paths_of("images", paths)
    found = (image for path in paths for image in _named_by(path, left_out))
    yield from found if len(paths) == 1 else dict.fromkeys(found)


def read_bytes(path: AnyPath) -> bytes:
    """Content of an image file, at most `BYTE_LIMIT` bytes.

    Raises:
        BadImage: not there, not a regular file (a pipe would block for ever), not readable, or too long.
    """
    name = display_name(path)
    try:
        return reading.read_bytes(path, BYTE_LIMIT)
    except NotADirectoryError:  # a part of the path is a file: a tar file, it may be
        return _read_inside(Path(path), name)
    except (OSError, ValueError) as error:  # ValueError: a null character in the path
        reason = getattr(error, "strerror", None) or error
        raise BadImage(f"'{name}' cannot be read ({reason}). Use the path of a readable image.") from error


def _read_inside(path: Path, name: str) -> bytes:
    try:
        place = split_tar_path(path)
        if place is None:
            raise NotADirectoryError(20, "Not a directory")
        data = read_member(*place, BYTE_LIMIT)
    except (OSError, BadFolder) as error:
        reason = getattr(error, "strerror", None) or error
        raise BadImage(f"'{name}' cannot be read ({reason}). Use the path of a readable image.") from error
    if data is None:
        raise BadImage(f"'{name}' is too long. Use an image file of up to {BYTE_LIMIT:,} bytes.")
    return data


def open_image(data: bytes, name: str) -> ImageFile:
    """Pillow image of which only the header was read: a known format, size and layout.

    Args:
        name: what errors call the image, as `display_name` gives it.

    Raises:
        BadImage: empty, of another format, damaged, larger than its format's limit, of endless work, or in a layout
            without agreed range.
    """
    known = _format_of(data, name)
    image = _parse(data, name, known)
    pixels = image.width * image.height
    if pixels > known.pixel_limit:
        raise BadImage(_too_large(name, f"{image.width:,} x {image.height:,} pixels", known.pixel_limit))
    _check_work(image, data, name)
    if image.mode not in LAYOUTS or not _plain_sixteen_bits(image):
        raise BadImage(
            f"'{name}' stores its pixels as '{image.mode}' in a way that has no agreed range. "
            "Use 8 or 16 unsigned bits per channel."
        )
    return image


def _format_of(data: bytes, name: str) -> Format:
    for known in FORMATS.values():
        if re.match(known.signature, data, re.DOTALL):
            return known
    kind = "empty" if not data else "not an image of a known format"
    raise BadImage(f"'{name}' is {kind}. Use {', '.join(FORMATS)}.")


def _parse(data: bytes, name: str, known: Format) -> ImageFile:
    try:
        return known.reader(io.BytesIO(data))
    except Image.DecompressionBombError as error:  # WebP's reader looks for itself, as it allocates at once
        raise BadImage(_too_large(name, "larger still", known.pixel_limit)) from error
    except Exception as error:  # parsers of hostile bytes raise anything: SyntaxError, OSError, struct.error ...
        raise BadImage(damaged_message(name, error)) from error


def _check_work(image: ImageFile, data: bytes, name: str) -> None:
    """Refuses what is small in pixels and in bytes, and endless all the same."""
    pixels = image.width * image.height
    scans = data.count(START_OF_SCAN) if isinstance(image, JpegImageFile) else 0
    if scans * pixels > SCAN_LIMIT:
        raise BadImage(
            f"'{name}' goes over its {pixels:,} pixels {scans:,} times. "
            f"Use an image of up to {SCAN_LIMIT // pixels:,} scans."
        )
    if isinstance(image, BmpImageFile) and image.info.get("compression") in RUN_LENGTHS:
        raise BadImage(f"'{name}' is a BMP packed as runs, which can be endless. Use an unpacked BMP or a PNG.")


def damaged_message(name: str, error: Exception) -> str:
    """Sentence for an image whose bytes a decoder gave up on."""
    reason = " ".join(display_name(str(error)).split()) or type(error).__name__
    return f"'{name}' is damaged or cut short ({reason}). Use a complete copy of the file."


def _too_large(name: str, given: str, limit: int) -> str:
    return f"'{name}' is too large ({given}). Use an image of up to {limit:,} pixels."


def _plain_sixteen_bits(image: ImageFile) -> bool:
    """Whether 16-bit grey means 0 (black) to 65535 (white); TIFF can put 12 bits, or white as zero, in that layout."""
    if not isinstance(image, TiffImageFile) or not image.mode.startswith("I;16"):
        return True
    tags = image.tag_v2
    return tags.get(TIFF_BITS) == (16,) and tags.get(TIFF_PHOTOMETRIC) == TIFF_BLACK_IS_ZERO


def _named_by(here: Path, left_out: LeftOut | None) -> Iterator[Path]:
    if here.is_dir():
        yield from _or_fail(images_below(here, left_out), f"There is no image in '{display_name(here)}'")
    elif here.is_file() and is_tar(here):
        yield from _or_fail(_in_tar(here), f"There is no image in '{display_name(here)}'")
    elif here.is_file() and is_table(here):
        yield from _or_fail(iter_listed_files(here), f"The table '{display_name(here)}' lists no image")
    elif here.exists() or split_tar_path(here):
        yield here
    else:
        yield from _matching(here, left_out)


def images_below(folder: Path, left_out: LeftOut | None = None) -> Iterator[Path]:
    """The images at every depth of a folder, in its order; of one that holds none, those in its tar files.

    Args:
        left_out: counts what is no image, by kind.
    Raises:
        BadFolder: a folder or a tar file cannot be read.
    """
    found = False
    for image in _images_below(folder, left_out):
        found = True
        yield image
    if not found:
        yield from (image for tar in filter(is_tar, walk_files(folder)) for image in _in_tar(tar))


def _or_fail(images: Iterator[Path], nothing: str) -> Iterator[Path]:
    """The images, of which there must be one."""
    first = next(images, None)
    if first is None:
        raise BadFolder(f"{nothing}. Use files ending in {' '.join(SUFFIXES)}.")
    yield first
    yield from images


def _in_tar(tar: Path) -> Iterator[Path]:
    return (image for name in list_members(tar) for image in _if_image(tar / name))


def _matching(pattern: Path, left_out: LeftOut | None) -> Iterator[Path]:
    named = sorted(glob.glob(os.fspath(pattern), recursive=True))
    matches = map(Path, filter(reading.may_be_read, named))
    images = dict.fromkeys(image for match in matches for image in _matched(match, left_out))  # `**` finds some twice
    if not images:
        raise BadImage(
            f"There is no image at '{display_name(pattern)}'. Use an image, a folder of images, a tar file, "
            "a table or a pattern."
        )
    yield from images


def _matched(match: Path, left_out: LeftOut | None) -> Iterable[Path]:
    if match.is_dir():
        return _images_below(match, left_out)
    return _in_tar(match) if is_tar(match) and match.is_file() else _if_image(match)


def _if_image(path: Path) -> list[Path]:
    return [path] if is_image_name(path.name) else []


def _images_below(folder: Path, left_out: LeftOut | None) -> Iterator[Path]:
    for file in walk_files(folder, left_out):
        if is_image_name(file.name):
            yield file
        elif left_out is not None:
            left_out[kind_of(file)] += 1
