"""What comes from a browser, or is named there, before anything opens it."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath

from vitrail.errors import BadImage, BadSetting, VitrailError
from vitrail.image_files import display_name, open_image

IMAGE_BYTES = 20_000_000
ZIP_FILES = 20_000
ZIP_BYTES = 500_000_000
"""Of what a zip holds, unpacked."""

PACKAGED = ("digits",)
IMAGE_ENDINGS = (".jpg", ".jpeg", ".png", ".webp", ".bmp")


def checked_image(path: Path) -> Path:
    """An image whose size, format and pixels are those of one; only its header is read.

    Raises:
        BadImage: they are not.
    """
    size = path.stat().st_size
    if size > IMAGE_BYTES:
        raise BadImage(f"The image has {size / 1e6:.0f} MB; {IMAGE_BYTES // 1_000_000} are the most.")
    open_image(path.read_bytes(), display_name(path.name))  # knows how many pixels are too many
    return path


def checked_weights(path: Path) -> Path:
    """A weights file that cannot do anything but hold numbers.

    Raises:
        BadSetting: it is no safetensors file.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(str(path), framework="np"):
            return path
    except (SafetensorError, OSError) as error:
        raise BadSetting(
            f"Weights from a browser must be a safetensors file; '{display_name(path.name)}' is none ({error})."
        ) from None


def allowed_data(given: str, roots: Sequence[Path]) -> str:
    """A packaged set by its name, or an allowed folder. Raises as `allowed_folder`."""
    return given if given in PACKAGED else str(allowed_folder(given, roots))


def allowed_folder(given: str, roots: Sequence[Path]) -> Path:
    """A folder on this machine that somebody named, if it lies below one of the roots, links followed.

    Raises:
        BadSetting: it does not, or is no folder.
    """
    path = Path(given).expanduser()
    resolved = (path if path.is_absolute() else roots[0] / path).resolve()
    if not any(resolved.is_relative_to(root.resolve()) for root in roots):
        raise BadSetting(
            f"'{given}' is outside the folders that this page may read; below {', '.join(map(str, roots))} would work, "
            "or start `vitrail studio --allow FOLDER`."
        )
    if not resolved.is_dir():
        raise BadSetting(f"There is no folder '{given}'; one of class folders with images would work.")
    return resolved


def unpacked(archive: Path, folder: Path) -> Path:
    """The images of a zip, in `folder`, which is made; everything else in it is left out.

    Returns:
        The folder that holds the class folders.
    Raises:
        BadSetting: it is no zip, holds no images, too many or too large ones, or names that lead elsewhere.
    """
    try:
        with zipfile.ZipFile(archive) as opened:
            members = list(_images(opened))
            for member in members:
                target = folder.joinpath(*PurePosixPath(member.filename).parts)
                target.parent.mkdir(parents=True, exist_ok=True)
                with opened.open(member) as source, target.open("wb") as out:
                    _copy(source, out, member)
    except VitrailError:
        raise
    except Exception as error:  # zipfile trips over a damaged zip, or one with a password, in a dozen ways
        raise BadSetting(f"The file cannot be unpacked as a zip ({error}); one of class folders would work.") from None
    inner = [path for path in folder.iterdir() if path.is_dir()]
    alone = len(inner) == 1 and not any(path.is_file() for path in inner[0].iterdir())
    return inner[0] if alone else folder  # a zip of one folder that holds the class folders


def _images(opened: zipfile.ZipFile) -> Iterator[zipfile.ZipInfo]:
    members = [each for each in opened.infolist() if not each.is_dir()]
    if len(members) > ZIP_FILES:
        raise BadSetting(f"The zip holds {len(members):,} files; {ZIP_FILES:,} are the most.")
    total = sum(each.file_size for each in members)
    if total > ZIP_BYTES:
        raise BadSetting(f"The zip holds {total / 1e6:,.0f} MB; {ZIP_BYTES // 1_000_000} are the most.")
    found = False
    for member in members:
        path = PurePosixPath(member.filename)
        if path.is_absolute() or ".." in path.parts or "\\" in member.filename or ":" in member.filename:
            raise BadSetting(f"The zip names '{member.filename}', which leads out of it; plain names would work.")
        if path.suffix.lower() in IMAGE_ENDINGS and not path.name.startswith(".") and "__MACOSX" not in path.parts:
            found = True
            yield member
    if not found:
        raise BadSetting("The zip holds no images; one of class folders with images would work.")


def _copy(source: object, out: object, member: zipfile.ZipInfo) -> None:
    """As many bytes as the zip says, and not one more: what it says was counted."""
    left = member.file_size
    while chunk := source.read(min(left + 1, 1 << 20)):  # type: ignore[attr-defined]
        left -= len(chunk)
        if left < 0:
            raise BadSetting(f"The zip says less of '{member.filename}' than it holds; another one would work.")
        out.write(chunk)  # type: ignore[attr-defined]
