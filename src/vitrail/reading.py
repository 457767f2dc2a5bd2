"""The one place where files are opened to be read: regular files, without waiting for anybody, of a bounded size.

A pipe or a device of that name would be waited for, or have no end. In a folder that somebody else may have made, such
as a run folder, links are not followed either: they lead anywhere.
"""

import errno
import io
import json
import os
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

LIMITS = {
    "settings": 1_000_000,  # settings.json, environment.json, YAML
    "result": 200_000_000,  # result.json
    "events": 100_000_000,  # events.jsonl
    "description": 16_000_000,  # JSON beside weights, manifests, model cards
    "figure": 20_000_000,  # PNG and GIF of a run
    "table": 4_000_000_000,  # CSV; read line by line
    "run table": 100_000_000,  # CSV of a run
    "shard": 4_000_000_000,
    "cached": 1_000_000_000,  # weights of a judge
    "head": 2_000_000_000,  # of a classifier
    "pickle": 20_000_000,  # the reviewed one
    "video": 4_000_000_000,
}
"""Bytes of a file by its kind, checked before anything of it is parsed. Images: `image_files.BYTE_LIMIT`."""

LINE_LIMIT = 1_000_000  # characters of a line of a table

_NO_LINK = getattr(os, "O_NOFOLLOW", 0)
_FLAGS = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
_FOLDER = getattr(os, "O_PATH", os.O_RDONLY) | getattr(os, "O_DIRECTORY", 0) | getattr(os, "O_CLOEXEC", 0)
_HELD = {os.open, os.mkdir, os.stat, os.unlink, os.rename} <= os.supports_dir_fd  # not on Windows

_places: tuple[Path, ...] = ()  # below which this process may read; empty: everywhere


def confine(places: Iterable[Path]) -> None:
    """From now on this process reads files below these folders only, links followed; none: everywhere.

    For a process that reads what somebody else names: whatever a setting, a table, a link, a pattern or a run folder
    leads to is refused where it is opened.
    """
    global _places
    _places = tuple(place.resolve() for place in places)


def confined_to() -> tuple[Path, ...]:
    """The folders that `confine` was given, for processes that this one starts; none: everywhere."""
    return _places


def may_be_read(path: str | os.PathLike[str]) -> bool:
    """Whether this process may read below a folder, links followed; see `confine`."""
    real = Path(os.path.realpath(path)) if _places else None
    return real is None or any(real.is_relative_to(place) for place in _places)


def refuse_links(path: Path, within: Path) -> None:
    """Raises `OSError` (ELOOP) if `path`, or a folder between it and `within`, is a link or leads out of it."""
    inner = path.relative_to(within)
    if ".." in inner.parts:
        raise OSError(errno.ELOOP, "it leads out of its folder", str(path))
    place = within
    for part in inner.parts:
        place = place / part
        if place.is_symlink():
            raise OSError(errno.ELOOP, f"{place.name!r} is a link, and links are not followed here", str(path))


@contextmanager
def held_folder(folder: Path, within: Path, *, make: bool = False) -> Iterator[int | None]:
    """A descriptor of a folder, reached from `within` through folders alone: to exchange one for a link comes too late.

    Args:
        make: whether those that are missing are made.
    Returns:
        For the `dir_fd` of `os`; None where the system has none: names are then looked up from the path.

    Raises:
        OSError: there is a link on the way, or no folder.
    """
    refuse_links(folder, within)
    if make:
        (within if _HELD else folder).mkdir(parents=True, exist_ok=True)
    if not _HELD:
        yield None
        return
    held = os.open(within, _FOLDER)
    try:
        for part in folder.relative_to(within).parts:
            if make:
                with suppress(FileExistsError):
                    os.mkdir(part, dir_fd=held)
            outer, held = held, os.open(part, _FOLDER | _NO_LINK, dir_fd=held)
            os.close(outer)
        yield held
    finally:
        os.close(held)


def open_regular(path: str | os.PathLike[str], *, within: Path | None = None) -> io.BufferedReader:
    """A regular file, opened to be read.

    Args:
        within: a folder below which no link is followed; None: links are followed.

    Raises:
        OSError: it is no regular file, or cannot be read.
        ValueError: a null character in the path.
    """
    return os.fdopen(_descriptor(Path(path), within), "rb")


def check_regular(path: Path, *, within: Path | None = None, limit: int | None = None) -> Path:
    """The path of a file that `open_regular` would open, for libraries that open it themselves.

    Raises:
        OSError: as `open_regular`; or it has more than `limit` bytes (EFBIG).
    """
    with open_regular(path, within=within) as file:
        if limit is not None and os.fstat(file.fileno()).st_size > limit:
            raise _too_large(path, limit)
    return path


def read_bytes(path: str | os.PathLike[str], limit: int, *, within: Path | None = None) -> bytes:
    """The content of a file; see `open_regular`.

    Raises:
        OSError: as `open_regular`; or it has more than `limit` bytes (EFBIG).
    """
    with open_regular(path, within=within) as file:
        size = os.fstat(file.fileno()).st_size
        data = file.read(size + 1) if size <= limit else b""
        if len(data) > size:  # it grows, or the system makes it as it is read
            data += file.read(limit + 1 - len(data))
    if size > limit or len(data) > limit:
        raise _too_large(path, limit)
    return data


def read_text(path: Path, limit: int, *, within: Path | None = None) -> str:
    """The content of a UTF-8 file; raises as `read_bytes`, and `ValueError` if it is not UTF-8."""
    return read_bytes(path, limit, within=within).decode("utf-8")


def read_json(path: Path, limit: int = LIMITS["description"], *, within: Path | None = None) -> Any:
    """One JSON document.

    Raises:
        OSError: as `read_bytes`.
        ValueError: it is not UTF-8 JSON, or contains NaN or Infinity.
    """
    try:
        return json.loads(read_bytes(path, limit, within=within), parse_constant=_refuse_constant)
    except RecursionError as error:
        raise ValueError(f"{path} is nested too deeply to be one of our JSON files.") from error


@contextmanager
def open_lines(path: Path, *, encoding: str = "utf-8", within: Path | None = None) -> Iterator[Iterator[str]]:
    """The lines of a text, with their ends, as `csv.reader` takes them; raises `ValueError` at an endless line."""
    with io.TextIOWrapper(open_regular(path, within=within), encoding, newline="") as text:
        if os.fstat(text.fileno()).st_size > LIMITS["table"]:
            raise _too_large(path, LIMITS["table"])
        yield _bounded(text)


def plain_files(folder: Path, ending: str) -> list[Path]:
    """Files with an ending directly in a folder, by name; symbolic links are ignored, since they can lead anywhere."""
    if folder.is_symlink():
        return []
    return sorted(path for path in folder.glob(f"*.{ending}") if path.is_file() and not path.is_symlink())


def _too_large(path: str | os.PathLike[str], limit: int) -> OSError:
    return OSError(errno.EFBIG, f"it has more than {limit:,} bytes", os.fspath(path))


def _descriptor(path: Path, within: Path | None) -> int:
    if _places:
        real = Path(os.path.realpath(path))
        place = next((place for place in _places if real.is_relative_to(place)), None)
        if place is None:
            raise PermissionError(errno.EACCES, "it is outside the folders that may be read", str(path))
        if within is not None:
            refuse_links(path, within)
        path, within = real, place
    return _open(path, None) if within is None else _open_below(path, within)


def _open_below(path: Path, within: Path) -> int:
    refuse_links(path, within)
    with held_folder(path.parent, within) as folder:
        return _open(path, folder, _NO_LINK)


def _open(path: Path, folder: int | None, flags: int = 0) -> int:
    """A descriptor of a regular file; `folder`: of the one that holds it, or None."""
    name = path if folder is None else path.name
    _check_kind(os.stat(name, dir_fd=folder, follow_symlinks=not flags), path)  # to open a device can do something
    descriptor = os.open(name, _FLAGS | flags, dir_fd=folder)
    try:
        status = os.fstat(descriptor)
        _check_kind(status, path)
        if not status.st_size and os.read(descriptor, 1):  # made by the system as it is read; some wait for news
            os.lseek(descriptor, 0, os.SEEK_SET)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def _check_kind(status: os.stat_result, path: str | os.PathLike[str]) -> None:
    if stat.S_ISDIR(status.st_mode):
        raise IsADirectoryError(errno.EISDIR, "it is a folder", os.fspath(path))
    if not stat.S_ISREG(status.st_mode):
        raise OSError(errno.EINVAL, "it is a pipe or a device", os.fspath(path))


def _bounded(text: io.TextIOWrapper) -> Iterator[str]:
    while line := text.readline(LINE_LIMIT + 1):
        if len(line) > LINE_LIMIT:
            raise ValueError(f"a line has more than {LINE_LIMIT:,} characters")
        yield line


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is not JSON.")
