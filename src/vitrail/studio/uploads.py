"""Uploaded files and paths named in a browser: checked before anything opens them, and removed when they are old."""

from __future__ import annotations

import io
import json
import os
import re
import secrets
import stat
import time
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path, PurePosixPath
from typing import IO, Any

from vitrail.decoding import decode
from vitrail.errors import BadImage, BadSetting, CannotWrite, VitrailError, one_line
from vitrail.files import make_folder, remove_file, remove_folder, write_bytes, write_text
from vitrail.image_files import display_name, read_bytes
from vitrail.image_headers import open_image
from vitrail.reading import open_regular, read_text, refuse_links
from vitrail.settings import shortened
from vitrail.unique_names import UniqueNames

IMAGE_BYTES = 20_000_000
ZIP_FILES = 20_000
ZIP_BYTES = 500_000_000
"""Maximum size of the unpacked files of a zip."""

PACKAGED = ("digits",)
HOME = ".studio"  # in the folder of the runs: the key, and what was uploaded
MAX_AGE = 24 * 60 * 60.0  # seconds
MAX_BYTES = 2_000_000_000
BLOCK = 4096  # bytes that the smallest file takes
DEPTH = 20  # folders in each other in a zip
PARTS = ("files", "sets", "images", "reports")
"""Folders of uploads: as the framework stores them, unpacked, decoded and encoded again, and pages to download."""
IMAGE_ENDINGS = (".jpg", ".jpeg", ".png", ".webp", ".bmp")


def private_folder(runs: Path) -> Path:
    """The page's own folder in that of the runs, which nobody else may read.

    Raises:
        CannotWrite: it cannot be made, or belongs to somebody else.
    """
    home = runs / HOME
    make_folder(home, within=runs)
    status = os.lstat(home)
    if hasattr(os, "geteuid") and status.st_uid != os.geteuid():
        raise CannotWrite(f"The folder {str(home)!r} belongs to another user. Use another folder with --runs.")
    if stat.S_IMODE(status.st_mode) & 0o077:
        os.chmod(home, 0o700)
    for part in PARTS:
        make_folder(home / "uploads" / part, within=home)
    return home


def page_key(home: Path) -> str:
    """The key in the page's address: the same after a restart, so that an open tab goes on.

    Raises:
        CannotWrite: a new one cannot be stored.
    """
    file = home / "key"
    try:
        key = read_text(file, 100, within=home) if _is_mine_alone(file) else ""
    except (OSError, ValueError):
        key = ""
    if not re.fullmatch(r"[\w-]{32,}", key, re.ASCII):
        key = secrets.token_urlsafe(24)
        write_text(file, key, within=home)
        os.chmod(file, 0o600)
    return key


def _is_mine_alone(file: Path) -> bool:
    """Whether nobody else can have read a file, or prepared it: its owner, permissions and number of names."""
    status = os.lstat(file)
    owner = status.st_uid == os.geteuid() if hasattr(os, "geteuid") else True
    return owner and not status.st_mode & 0o077 and status.st_nlink == 1


def clean(uploads: Path, in_use: str = "") -> None:
    """Removes uploads that are older than a day, and the oldest ones where all together are too large.

    Args:
        in_use: JSON of the settings of jobs that wait or run; uploads that it names stay.
    """
    found_entries = [entry for part in PARTS for entry in (uploads / part).glob("*")]
    entries = [entry for entry in found_entries if json.dumps(str(entry))[1:-1] not in in_use]
    found = sorted(((*_newest_and_size(entry), entry) for entry in entries), reverse=True)
    total = 0
    for newest, size, entry in found:  # the newest first
        total += size
        if time.time() - newest > MAX_AGE or total > MAX_BYTES:
            remove = remove_folder if entry.is_dir() else remove_file
            remove(entry, within=uploads)


def _newest_and_size(entry: Path) -> tuple[float, int]:
    """The time of the latest change in a file or folder, and the bytes of all its files, a block each at least."""
    newest, size = os.lstat(entry).st_mtime, BLOCK
    with suppress(RecursionError):  # deeper than anything that is unpacked here
        for root, _, names in os.walk(entry):  # of a link: nothing
            for name in names if not entry.is_symlink() else ():
                with suppress(OSError):
                    status = os.lstat(os.path.join(root, name))
                    newest, size = max(newest, status.st_mtime), size + max(BLOCK, status.st_size)
    return newest, size


def own_upload(given: Any, uploads: Path) -> Path | None:
    """The path of an upload as the page itself named it; None for anything else."""
    try:
        path = Path(given)
        refuse_links(path, uploads)
        return path if stat.S_ISREG(os.lstat(path).st_mode) else None
    except (OSError, ValueError, TypeError):
        return None


def checked_upload(given: str, uploads: Path) -> Path:
    """As `own_upload`; raises `BadSetting` for anything else."""
    path = own_upload(given, uploads)
    if path is None:
        raise BadSetting("The file is no longer on this page. Upload it again.")
    return path


def checked_image(path: Path, uploads: Path) -> Path:
    """The path of an uploaded image whose size, format and number of pixels are allowed; only its header is read.

    Raises:
        BadSetting: it is no upload.
        BadImage: it is not allowed.
    """
    path = checked_upload(str(path), uploads)
    size = path.stat().st_size
    if size > IMAGE_BYTES:
        raise BadImage(f"The image has {size / 1e6:.0f} MB. Use one of at most {IMAGE_BYTES // 1_000_000} MB.")
    open_image(read_bytes(path), display_name(path.name))  # raises for too many pixels
    return path


def encoded_again(file: Path, uploads: Path) -> Path:
    """A copy of an image, as a PNG among the uploads: its pixels, and nothing else that the file may hold.

    Raises:
        BadImage: it is no image, or too large.
        CannotWrite: the copy cannot be stored.
    """
    _, image = decode(file)
    png = io.BytesIO()
    image.save(png, "PNG")
    copy = uploads / "images" / secrets.token_hex(16) / f"{UniqueNames().free(file.stem)}.png"
    write_bytes(copy, png.getvalue(), within=uploads, durable=False)
    return copy


def checked_weights(path: Path, uploads: Path) -> Path:
    """The path of an uploaded weights file that contains tensors only.

    Raises:
        BadSetting: it is no upload, or not a safetensors file.
    """
    from safetensors import SafetensorError, safe_open

    path = checked_upload(str(path), uploads)
    try:
        with safe_open(str(path), framework="np"):
            return path
    except (SafetensorError, OSError) as error:
        raise BadSetting(
            f"'{display_name(path.name)}' is not a safetensors file ({error}). Use one; other formats can contain code."
        ) from None


def allowed_data(given: str, roots: Sequence[Path]) -> str:
    """The name of a packaged data set, or an allowed folder; raises as `allowed_folder` does."""
    return given if given in PACKAGED else str(allowed_folder(given, roots))


def allowed_folder(given: str, roots: Sequence[Path]) -> Path:
    """A folder below one of the roots, symbolic links resolved.

    Raises:
        BadSetting: it is outside the roots, or not a folder.
    """
    try:
        path = Path(given).expanduser()
        resolved = (path if path.is_absolute() else roots[0] / path).resolve()
        is_folder = resolved.is_dir()
    except (OSError, ValueError, RuntimeError) as error:  # a null character, a name that is too long, no such user
        raise BadSetting(f"{shortened(given)} can be no folder ({one_line(error)}). Use a folder of images.") from None
    if not any(resolved.is_relative_to(root.resolve()) for root in roots):
        raise BadSetting(
            f"{shortened(given)} is outside the folders that this page may read. Use a folder below "
            f"{', '.join(map(str, roots))}, or start `vitrail studio --allow FOLDER`."
        )
    if not is_folder:
        raise BadSetting(
            f"{shortened(given)} is not a folder. Use a folder that contains one folder of images per class."
        )
    return resolved


def unpacked(archive: Path, folder: Path) -> Path:
    """Unpacks the images of a zip into the new folder `folder`; other files are skipped.

    Returns:
        The folder that contains the class folders.
    Raises:
        BadSetting: it is not a zip, contains no images, too many or too large ones, or paths that lead out of it.
    """
    try:
        with open_regular(archive) as file, zipfile.ZipFile(file) as opened:
            for member in list(_images(opened)):
                target = folder.joinpath(*PurePosixPath(member.filename).parts)
                with opened.open(member) as source:
                    write_bytes(target, _content(source, member), within=folder, durable=False)
    except VitrailError:
        raise
    except Exception as error:  # a damaged or encrypted zip raises many types of errors
        raise BadSetting(f"The file cannot be unpacked as a zip ({error}). Use a zip of class folders.") from None
    inner = [path for path in folder.iterdir() if path.is_dir()]
    alone = len(inner) == 1 and not any(path.is_file() for path in inner[0].iterdir())
    return inner[0] if alone else folder  # a zip of one folder that contains the class folders


def _images(opened: zipfile.ZipFile) -> Iterator[zipfile.ZipInfo]:
    members = [each for each in opened.infolist() if not each.is_dir()]
    if len(members) > ZIP_FILES:
        raise BadSetting(f"The zip contains {len(members):,} files. Use one of at most {ZIP_FILES:,}.")
    total = sum(each.file_size for each in members)
    if total > ZIP_BYTES:
        raise BadSetting(f"The zip unpacks to {total / 1e6:,.0f} MB. Use one of at most {ZIP_BYTES // 1_000_000} MB.")
    found = False
    for member in members:
        path = PurePosixPath(member.filename)
        if path.is_absolute() or ".." in path.parts or "\\" in member.filename or ":" in member.filename:
            raise BadSetting(
                f"The zip contains the path '{member.filename}', which leads out of it. Use relative paths."
            )
        if len(path.parts) > DEPTH:
            raise BadSetting(f"The zip has more than {DEPTH} folders in each other. Use a zip of class folders.")
        if path.suffix.lower() in IMAGE_ENDINGS and not path.name.startswith(".") and "__MACOSX" not in path.parts:
            found = True
            yield member
    if not found:
        raise BadSetting("The zip contains no images. Use a zip of class folders.")


def _content(source: IO[bytes], member: zipfile.ZipInfo) -> bytes:
    """As many bytes as the zip states, and no more, since the limit was checked with that size."""
    content = source.read(member.file_size + 1)
    if len(content) > member.file_size:
        raise BadSetting(f"'{member.filename}' is larger than the zip states. Use an undamaged zip.")
    return content
