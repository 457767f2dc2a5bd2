"""The one place where files are written and removed: each appears whole or not at all, and a failure is one sentence.

Below a folder of ours (`within`: of a run, a cache, the page) nothing is written or removed through a link, and nothing
is removed that is no plain file. A name with a link, a pipe or a folder behind it is refused.
"""

import errno
import json
import os
import re
import secrets
import shutil
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from vitrail.errors import CannotWrite
from vitrail.reading import LIMITS, held_folder, read_bytes, refuse_links

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
_LEFTOVER = re.compile(r"\..+\.\d+\.[0-9a-f]{8}\.part", re.DOTALL)
_LONGEST_LINE = 16_000_000  # bytes
_APPEND = os.O_RDWR | os.O_APPEND | os.O_CREAT
_APPEND |= getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOFOLLOW", 0)
_NOT_PASSED_ON = getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)


def write_bytes(path: Path, data: bytes | bytearray | memoryview, *, within: Path | None, durable: bool = True) -> None:
    """Write a file, making its folder if need be; whoever looks sees the old file or the whole new one.

    Args:
        within: a folder of ours that holds `path`: no link below it is followed. None: `path` was named by the user,
            whose links lead where the user wants.
        durable: whether it outlives a power cut, which costs a wait for the disk.

    Raises:
        CannotWrite: the disk is full, read-only, ...; an older file of that name is then as it was.
    """
    # Beside the target, because a rename is atomic within one disk only; cut, because a name has at most 255 bytes.
    part = f".{path.name[:40]}.{os.getpid()}.{secrets.token_hex(4)}.part"
    with _cannot_write(path), _folder_of(path, within) as folder:
        try:
            descriptor = folder.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL)
            try:
                write_all(descriptor, data)
                if durable:
                    os.fsync(descriptor)  # before the rename: else a power cut can leave the name with no content
            finally:
                os.close(descriptor)
            folder.rename(part, path.name)
        except BaseException:  # Ctrl-C too: what did not become a file leaves nothing behind
            with suppress(OSError):
                folder.remove(part)
            raise
        if durable:
            folder.sync()


def write_text(path: Path, text: str, *, within: Path | None) -> None:
    r"""Write text as UTF-8, line ends as given; see `write_bytes`.

    A file name that is no valid UTF-8 reaches Python with lone surrogates: they are written as `\udc..`,
    which inside a JSON string is the very escape that reads back as the same name.
    """
    write_bytes(path, text.encode("utf-8", errors="backslashreplace"), within=within)


def write_json(path: Path, content: object, *, within: Path | None) -> None:
    """Write one JSON document, keys in the order given, so that equal contents give equal bytes; see `write_bytes`.

    Raises:
        ValueError: a number is NaN or infinite, which JSON cannot say.
        TypeError: a value is none of JSON's.
    """
    write_text(path, json.dumps(content, ensure_ascii=False, allow_nan=False, indent=2) + "\n", within=within)


def make_folder(path: Path, *, within: Path | None = None) -> None:
    """Make a folder and those above it; one that is there already stays as it is. Raises `CannotWrite`."""
    with _cannot_write(path):
        if within is None:
            path.mkdir(parents=True, exist_ok=True)
        else:
            with held_folder(path, within, make=True):
                pass


def make_new_folder(path: Path) -> bool:
    """Make a folder and those above it; False if there is something already, be it made a moment ago by another."""
    make_folder(path.parent)
    with _cannot_write(path):
        try:
            path.mkdir()
        except FileExistsError:
            return False
    return True


def append_line(path: Path, line: str, *, within: Path) -> None:
    """Add one line to a file that has this one writer, and hand it to the system at once: a crash loses no line.

    Half a line at the end, which a writer left that was killed, is taken away first. A file that has a second name
    elsewhere (a hard link) is copied first, so that what has that name stays as it is.

    Raises:
        CannotWrite: the line could not be written whole; the file then ends with the line before.
    """
    data = line.encode("utf-8", errors="backslashreplace") + b"\n"
    with _cannot_write(path):
        descriptor = _open_log(path, within)
        if os.fstat(descriptor).st_nlink > 1:
            os.close(descriptor)
            write_bytes(path, read_bytes(path, LIMITS["events"], within=within), within=within)
            descriptor = _open_log(path, within)
        try:
            end = _cut_half_line(descriptor)
            try:
                write_all(descriptor, data)
            except OSError:
                os.truncate(descriptor, end)
                raise
        finally:
            os.close(descriptor)


def remove_file(path: Path, *, within: Path) -> bool:
    """Remove a plain file; False: it is none, is reached through a link, or cannot be removed, and stays.

    Whether it is a file of ours, by name and content, is for the caller to know.
    """
    try:
        with held_folder(path.parent, within) as held:
            folder = _Folder(path.parent, held)
            if not stat.S_ISREG(folder.status(path.name).st_mode):
                return False
            folder.remove(path.name)
    except (OSError, ValueError):  # a null character, a path elsewhere
        return False
    return True


def remove_empty_folder(path: Path) -> None:
    """Remove a folder that holds nothing; any other stays."""
    with suppress(OSError):
        path.rmdir()


def remove_folder(path: Path, *, within: Path) -> bool:
    """Remove a folder of ours with all that it holds, following no link; False: it is none, or some of it stays."""
    try:
        with held_folder(path.parent, within) as held:
            folder = _Folder(path.parent, held)
            if not stat.S_ISDIR(folder.status(path.name).st_mode):  # `rmtree` would open a pipe, and wait
                return False
            shutil.rmtree(folder.at(path.name), dir_fd=held)
    except (OSError, ValueError, RecursionError):
        return False
    return True


def rename(path: Path, new: Path, *, within: Path) -> None:
    """Give a file or folder of ours another name; raises `OSError`."""
    with held_folder(path.parent, within) as old, held_folder(new.parent, within) as other:
        names = _Folder(path.parent, old).at(path.name), _Folder(new.parent, other).at(new.name)
        os.replace(*names, src_dir_fd=old, dst_dir_fd=other)


def is_leftover(path: Path) -> bool:
    """Whether a writer that was killed left this, which never became a file."""
    return _LEFTOVER.fullmatch(path.name) is not None


def remove_leftovers(folder: Path, *, within: Path) -> None:
    """Remove what writers that were killed left in a folder; a place that cannot be written stays as it is.

    Only age tells: the process number in the name may be one of another machine that shares the folder.
    """
    for part in folder.glob(".*.part"):
        with suppress(OSError):
            if is_leftover(part) and time.time() - os.lstat(part).st_mtime > _DAY:
                remove_file(part, within=within)


def write_all(descriptor: int, data: bytes | bytearray | memoryview) -> None:
    """Writes all bytes; every byte that this package writes goes through here."""
    rest = memoryview(data).cast("B")
    while rest:
        rest = rest[os.write(descriptor, rest) :]


@dataclass(frozen=True, slots=True)
class _Folder:
    """A folder in which names are looked up, from its descriptor if it is held."""

    path: Path
    held: int | None

    def at(self, name: str) -> str | Path:
        return self.path / name if self.held is None else name

    def open(self, name: str, flags: int) -> int:
        return os.open(self.at(name), flags | _NOT_PASSED_ON, 0o666, dir_fd=self.held)

    def status(self, name: str) -> os.stat_result:
        return os.stat(self.at(name), dir_fd=self.held, follow_symlinks=False)

    def rename(self, name: str, new: str) -> None:
        os.replace(self.at(name), self.at(new), src_dir_fd=self.held, dst_dir_fd=self.held)

    def remove(self, name: str) -> None:
        os.unlink(self.at(name), dir_fd=self.held)

    def sync(self) -> None:
        """Make a rename outlive a power cut, where the system lets a folder be opened."""
        with suppress(OSError):
            descriptor = os.open(self.path if self.held is None else ".", os.O_RDONLY, dir_fd=self.held)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)


@contextmanager
def _folder_of(path: Path, within: Path | None) -> Iterator[_Folder]:
    """The folder in which `path` is to be written, made if need be.

    Raises:
        OSError: below `within` there is, or leads to it, anything that a writer of ours did not make.
    """
    if within is None:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield _Folder(path.parent, None)
        return
    refuse_links(path, within)
    with held_folder(path.parent, within, make=True) as held:
        folder = _Folder(path.parent, held)
        with suppress(FileNotFoundError):
            mode = folder.status(path.name).st_mode
            if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):  # of a folder, the system says so
                raise OSError(errno.EINVAL, "a pipe or a device of that name is in the way", str(path))
        yield folder


def _open_log(path: Path, within: Path) -> int:
    with _folder_of(path, within) as folder:
        return folder.open(path.name, _APPEND)


def _cut_half_line(descriptor: int) -> int:
    """Where the file ends then."""
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        raise OSError(errno.EINVAL, "a pipe or a device of that name is in the way")
    size = end = os.lseek(descriptor, 0, os.SEEK_END)
    while end:
        start = max(0, end - 65_536)
        os.lseek(descriptor, start, os.SEEK_SET)
        found = os.read(descriptor, end - start).rfind(b"\n") + 1
        end = start + found
        if found:
            break
        if size - end > _LONGEST_LINE:
            raise OSError(errno.EINVAL, "a file of that name, which is no log, is in the way")
    if end < size:
        os.truncate(descriptor, end)
    return end


@contextmanager
def _cannot_write(path: Path) -> Iterator[None]:
    try:
        yield
    except CannotWrite:
        raise
    except OSError as error:
        why = _REASONS.get(error.errno or 0, f"{error.strerror or error}; choose another folder")
        raise CannotWrite(f"Cannot write {path}: {why}.") from error
