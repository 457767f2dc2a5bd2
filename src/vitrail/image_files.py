"""Image files: find them, name them safely, and read their bytes once."""

import glob
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from vitrail import reading
from vitrail.errors import BadFolder, BadImage
from vitrail.files import AnyPath
from vitrail.folder_walk import LeftOut, is_system_file, kind_of, walk_files
from vitrail.formatting import display_name as display_name
from vitrail.idx import PARTS, has_idx, idx_files, image_paths, read_image, split_idx_path
from vitrail.image_formats import PIXEL_LIMIT, SUFFIXES
from vitrail.tables import is_table, iter_listed_files
from vitrail.tars import is_tar, list_members, read_member, split_tar_path
from vitrail.validation import paths_of

BYTE_LIMIT = 8 * PIXEL_LIMIT
"""Bytes of a file: the largest image allowed, uncompressed, in the widest layout read (16 bits, RGBA)."""


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
        paths: files (taken as they are), folders (searched at every depth for names with `SUFFIXES`, hidden ones
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
    except NotADirectoryError:  # a part of the path is a file: a tar file or an idx file, it may be
        return _read_inside(Path(path), name)
    except (OSError, ValueError) as error:  # ValueError: a null character in the path
        reason = getattr(error, "strerror", None) or error
        raise BadImage(f"'{name}' cannot be read ({reason}). Use the path of a readable image.") from error


def is_inside(path: Path) -> bool:
    """Whether a path leads into a tar file or an idx file that is there."""
    return split_tar_path(path) is not None or split_idx_path(path) is not None


def _read_inside(path: Path, name: str) -> bytes:
    try:
        data: bytes | None
        if (tar := split_tar_path(path)) is not None:
            data = read_member(*tar, BYTE_LIMIT)
        elif (idx := split_idx_path(path)) is not None:
            data = read_image(*idx)
        else:
            raise NotADirectoryError(20, "Not a directory")
    except (OSError, BadFolder) as error:
        reason = getattr(error, "strerror", None) or error
        raise BadImage(f"'{name}' cannot be read ({reason}). Use the path of a readable image.") from error
    if data is None:
        raise BadImage(f"'{name}' is too long. Use an image file of up to {BYTE_LIMIT:,} bytes.")
    return data


def _named_by(here: Path, left_out: LeftOut | None) -> Iterator[Path]:
    if here.is_dir():
        yield from _or_fail(images_below(here, left_out), f"There is no image in '{display_name(here)}'")
    elif here.is_file() and is_tar(here):
        yield from _or_fail(_in_tar(here), f"There is no image in '{display_name(here)}'")
    elif here.is_file() and is_table(here):
        yield from _or_fail(iter_listed_files(here), f"The table '{display_name(here)}' lists no image")
    elif here.exists() or is_inside(here):
        yield here
    else:
        yield from _matching(here, left_out)


def images_below(folder: Path, left_out: LeftOut | None = None) -> Iterator[Path]:
    """The images at every depth of a folder, in its order; of one that holds none, those in its tar or idx files.

    Args:
        left_out: counts what is no image, by kind.
    Raises:
        BadFolder: a folder or a tar file cannot be read.
    """
    found = False
    for image in _images_below(folder, left_out):
        found = True
        yield image
    if found:
        return
    if has_idx(folder):
        yield from _unpacked(
            [image for part in PARTS for image in image_paths(folder, part)], idx_files(folder), left_out
        )
    else:
        for tar in filter(is_tar, walk_files(folder)):
            yield from _unpacked(list(_in_tar(tar)), [tar], left_out)


def _unpacked(images: list[Path], files: list[Path], left_out: LeftOut | None) -> list[Path]:
    """The images that files hold, which were counted as no images."""
    if images and left_out is not None:
        left_out -= LeftOut(map(kind_of, files))
    return images


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
