"""Images inside tar files, as WebDataset keeps them: `shard-0000.tar/dog/17.jpg` is a path like any other.

Nothing is ever unpacked onto the disk: a tar file is read from front to back once, for what is where, and each file in
it is then read from its place.
"""

from __future__ import annotations

import os
import tarfile
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path, PurePosixPath

from vitrail.errors import BadFolder, one_line
from vitrail.reading import open_regular

SUFFIX = ".tar"
OPEN = 4  # tar files whose contents are remembered: neighbours are asked for one after another

Members = Mapping[str, tuple[int, int]]


def is_tar(path: Path) -> bool:
    """Whether the name is that of a tar file."""
    return path.name.lower().endswith(SUFFIX)


def list_members(tar: Path) -> Members:
    """What is in a tar file: name -> where its bytes begin, and how many there are; in the file's order.

    Only plain files, and none whose name leads out of the archive.

    Raises:
        BadFolder: it cannot be read, is compressed, or is damaged.
    """
    try:
        status = os.stat(tar)
    except OSError as error:
        raise BadFolder(f"'{_printable(tar)}' cannot be read ({error.strerror}). Use a readable tar file.") from None
    return _members(tar, status.st_size, status.st_mtime_ns)


@lru_cache(OPEN)
def _members(tar: Path, size: int, changed: int) -> Members:
    found: dict[str, tuple[int, int]] = {}
    try:
        with open_regular(tar) as file, tarfile.open(fileobj=file, mode="r:") as archive:
            for member in archive:
                archive.members.clear()  # type: ignore[attr-defined]  # or every header ever read stays in memory
                name = PurePosixPath(member.name.lstrip("/"))
                if member.isreg() and not member.issparse() and ".." not in name.parts:
                    found[str(name)] = (member.offset_data, member.size)
    except (tarfile.TarError, OSError, ValueError, EOFError) as error:
        reason = one_line(error)
        raise BadFolder(
            f"'{_printable(tar)}' is damaged, or no plain tar file ({reason}). "
            "Use one that is whole and not compressed."
        ) from None
    return found


def split_tar_path(path: Path) -> tuple[Path, str] | None:
    """The tar file that `path` leads into, and the name in it; None: it leads into none."""
    for parent in path.parents:
        if is_tar(parent) and parent.is_file():
            return parent, path.relative_to(parent).as_posix()
    return None


def read_member(tar: Path, name: str, limit: int) -> bytes | None:
    """The bytes of a file in a tar file; None: it has more than `limit`.

    Raises:
        FileNotFoundError: there is none of that name.
        BadFolder: as `members_of`.
    """
    place = list_members(tar).get(name)
    if place is None:
        raise FileNotFoundError(2, "no such file in that tar file")
    start, size = place
    if size > limit:
        return None
    with open_regular(tar) as file:
        file.seek(start)
        return file.read(size)


def _printable(path: Path) -> str:
    return ascii(path.name)[1:-1]
