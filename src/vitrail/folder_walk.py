"""Which files below a folder are looked at, and what is left out of them."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

from vitrail.errors import BadFolder
from vitrail.formatting import display_name
from vitrail.reading import may_be_read

SYSTEM_FOLDERS = frozenset(
    (
        *("@eadir", "#recycle", "#snapshot", "@recycle", "@recently-snapshot", "@tmp"),  # network disks
        *("__macosx", "$recycle.bin", "system volume information", "lost+found", "__pycache__"),
    )
)
"""Folders that systems make beside a user's, in small letters: thumbnails, waste, the second halves of files."""

SYSTEM_FILES = frozenset(("thumbs.db", "ehthumbs.db", "desktop.ini", "icon\r"))

LeftOut = Counter[str]
"""How many files were left out, by kind: a suffix such as ".heic", "system files", "damaged", ..."""

SYSTEM = "system files"


def is_system_folder(name: str) -> bool:
    """Whether a folder of this name is hidden, or one that a system made."""
    return name.startswith(".") or name.lower() in SYSTEM_FOLDERS


def is_system_file(name: str) -> bool:
    """As `is_system_folder`; macOS leaves a `._cat.jpg`, no image, beside each `cat.jpg`."""
    return name.startswith(".") or name.lower() in SYSTEM_FILES


def walk_files(folder: Path, left_out: LeftOut | None = None) -> Iterator[Path]:
    """The files below a folder, sorted in each; hidden ones and those of systems left out, links followed.

    Args:
        left_out: counts what is left out here.
    Raises:
        BadFolder: a folder cannot be listed.
    """
    _check_place(folder)
    seen: set[str] = set()  # a link to a folder above would lead round in circles
    for root, folders, names in os.walk(folder, followlinks=True, onerror=_cannot_list):
        real = os.path.realpath(root)
        if real in seen or not may_be_read(real):
            folders.clear()
            continue
        seen.add(real)
        if left_out is not None:
            _count(Path(root), folders, names, left_out)
        folders[:] = sorted(name for name in folders if not is_system_folder(name))
        yield from (Path(root, name) for name in sorted(names) if not is_system_file(name))


def list_folder(folder: Path, left_out: LeftOut) -> tuple[list[Path], list[Path]]:
    """The files and the folders directly in a folder, as `walk_files`; raises `BadFolder`."""
    _check_place(folder)
    try:
        inside = sorted(folder.iterdir())
    except OSError as error:
        _cannot_list(error)
    folders = [path.name for path in inside if path.is_dir()]
    names = [path.name for path in inside if not path.is_dir()]
    _count(folder, folders, names, left_out)
    files = [folder / name for name in names if not is_system_file(name)]
    return files, [folder / name for name in folders if not is_system_folder(name)]


def folders_in(folder: Path) -> list[Path]:
    """The folders directly in a folder, by name, without those of systems; raises `BadFolder`."""
    _check_place(folder)
    try:
        with os.scandir(folder) as inside:  # which knows what is a folder without a look at each of a class's images
            return sorted(folder / each.name for each in inside if _is_folder(each) and not is_system_folder(each.name))
    except OSError as error:
        _cannot_list(error)


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to itself
        return False


def kind_of(file: Path) -> str:
    """What a file that is no image counts as: its suffix."""
    return file.suffix.lower() or "without suffix"


def _count(root: Path, folders: list[str], names: list[str], left_out: LeftOut) -> None:
    left_out[SYSTEM] += sum(map(is_system_file, names))
    for name in filter(is_system_folder, folders):
        left_out[SYSTEM] += sum(len(inside) for _, _, inside in os.walk(root / name))
    left_out += Counter()  # without zeros


def _check_place(folder: Path) -> None:
    if not may_be_read(folder):
        raise BadFolder(f"'{display_name(folder)}' is outside the folders that may be read. Use one of those.")


def _cannot_list(error: OSError) -> NoReturn:
    name = display_name(error.filename)
    raise BadFolder(f"The folder '{name}' cannot be listed ({error.strerror}). Use one that you may read.") from error
