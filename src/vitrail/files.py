"""The one place where files are written: each appears whole or not at all, and a failure is one sentence."""

import errno
import json
import os
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

from vitrail.errors import CannotWrite

AnyPath = str | os.PathLike[str]
"""A path as callers may give it."""

_REASONS = {  # errno -> why, and what to do
    errno.ENOSPC: "the disk is full; free some space or choose another folder",
    errno.EDQUOT: "your disk quota is used up; free some space or choose another folder",
    errno.EROFS: "the disk is read-only; choose another folder",
    errno.EACCES: "you may not write there; change the folder's permissions or choose another one",
    errno.EPERM: "you may not write there; change the folder's permissions or choose another one",
    errno.ENOTDIR: "a part of the path is a file and not a folder; choose another folder",
    errno.EEXIST: "a part of the path is a file and not a folder; choose another folder",
    errno.EISDIR: "a folder of that name is in the way; choose another name",
    errno.ENAMETOOLONG: "the name is too long; choose a shorter one",
    errno.EFBIG: "the file would be larger than the system allows; write less or choose another disk",
    errno.EIO: "the disk reports a fault; choose another disk",
}
_DAY = 24 * 60 * 60.0  # seconds


def write_bytes(path: Path, data: bytes | bytearray | memoryview) -> None:
    """Write a file, making its folder if need be; whoever looks sees the old file or the whole new one.

    Raises:
        CannotWrite: the disk is full, read-only, ...; an older file of that name is then as it was.
    """
    # Beside the target, because a rename is atomic within one disk only; cut, because a name has at most 255 bytes.
    part = path.with_name(f".{path.name[:40]}.{os.getpid()}.{secrets.token_hex(4)}.part")
    with _cannot_write(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with part.open("xb", buffering=0) as file:
                _write_through(file.fileno(), data)
            os.replace(part, path)
        except BaseException:  # Ctrl-C too: what did not become a file leaves nothing behind
            with suppress(OSError):
                part.unlink()
            raise
        _sync_folder(path.parent)


def write_text(path: Path, text: str) -> None:
    r"""Write text as UTF-8, line ends as given; see `write_bytes`.

    A file name that is no valid UTF-8 reaches Python with lone surrogates: they are written as `\udc..`,
    which inside a JSON string is the very escape that reads back as the same name.
    """
    write_bytes(path, text.encode("utf-8", errors="backslashreplace"))


def write_json(path: Path, content: object) -> None:
    """Write one JSON document, keys in the order given, so that equal contents give equal bytes; see `write_bytes`.

    Raises:
        ValueError: a number is NaN or infinite, which JSON cannot say.
        TypeError: a value is none of JSON's.
    """
    write_text(path, json.dumps(content, ensure_ascii=False, allow_nan=False, indent=2) + "\n")


def make_folder(path: Path) -> None:
    """Make a folder and those above it; one that is there already stays as it is. Raises `CannotWrite`."""
    with _cannot_write(path):
        path.mkdir(parents=True, exist_ok=True)


def make_new_folder(path: Path) -> bool:
    """Make a folder and those above it; False if there is something already, be it made a moment ago by another."""
    make_folder(path.parent)
    with _cannot_write(path):
        try:
            path.mkdir()
        except FileExistsError:
            return False
    return True


def read_json(path: Path) -> Any:
    """Read one JSON document.

    Raises:
        OSError: the file cannot be read.
        ValueError: it is not UTF-8 JSON, or says NaN or Infinity.
    """
    try:
        return json.loads(path.read_bytes(), parse_constant=_refuse_constant)
    except RecursionError as error:
        raise ValueError(f"{path} is nested too deeply to be one of our JSON files.") from error


def append_line(path: Path, line: str) -> None:
    """Add one line to a file that has this one writer, and hand it to the system at once: a crash loses no line.

    Half a line at the end, which a writer left that was killed, is taken away first.

    Raises:
        CannotWrite: the line could not be written whole; the file then ends with the line before.
    """
    data = line.encode("utf-8", errors="backslashreplace") + b"\n"
    with _cannot_write(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a+b", buffering=0) as file:
            end = _cut_half_line(file)
            try:
                write_all(file.fileno(), data)
            except OSError:
                file.truncate(end)
                raise


def _cut_half_line(file: BinaryIO) -> int:
    """Where the file ends then."""
    end = file.seek(0, os.SEEK_END)
    file.seek(max(end - 1, 0))
    if file.read(1) not in (b"\n", b""):
        file.seek(0)
        end = file.truncate(file.read().rfind(b"\n") + 1)
    return end


def is_leftover(path: Path) -> bool:
    """Whether a writer that was killed left this, which never became a file."""
    return path.name.startswith(".") and path.name.endswith(".part")


def remove_leftovers(folder: Path) -> None:
    """Remove what writers that were killed left in a folder; a place that cannot be written stays as it is.

    Only age tells: the process number in the name may be one of another machine that shares the folder.
    """
    for part in folder.glob(".*.part"):
        with suppress(OSError):
            if time.time() - part.stat().st_mtime > _DAY:
                part.unlink()


def _write_through(descriptor: int, data: bytes | bytearray | memoryview) -> None:
    write_all(descriptor, data)
    os.fsync(descriptor)  # before the rename: else a power cut can leave the new name with an empty file


def write_all(descriptor: int, data: bytes | bytearray | memoryview) -> None:
    """Writes all bytes; every byte that this package writes goes through here."""
    rest = memoryview(data).cast("B")
    while rest:
        rest = rest[os.write(descriptor, rest) :]


def _sync_folder(folder: Path) -> None:
    """Make a rename outlive a power cut, where the system lets a folder be opened (not on Windows)."""
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


@contextmanager
def _cannot_write(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        why = _REASONS.get(error.errno or 0, f"{error.strerror or error}; choose another folder")
        raise CannotWrite(f"Cannot write {path}: {why}.") from error


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is not JSON.")
