"""Checks of uploaded files, and of paths named in a browser, before anything opens them."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath

from vitrail.errors import BadImage, BadSetting, VitrailError
from vitrail.image_files import display_name, open_image

IMAGE_BYTES = 20_000_000
ZIP_FILES = 20_000
ZIP_BYTES = 500_000_000
"""Maximum size of the unpacked files of a zip."""

PACKAGED = ("digits",)
IMAGE_ENDINGS = (".jpg", ".jpeg", ".png", ".webp", ".bmp")


def checked_image(path: Path) -> Path:
    """The path of an image whose file size, format and number of pixels are allowed; only its header is read.

    Raises:
        BadImage: they are not.
    """
    size = path.stat().st_size
    if size > IMAGE_BYTES:
        raise BadImage(f"The image has {size / 1e6:.0f} MB. Use one of at most {IMAGE_BYTES // 1_000_000} MB.")
    open_image(path.read_bytes(), display_name(path.name))  # raises for too many pixels
    return path


def checked_weights(path: Path) -> Path:
    """The path of a weights file that contains tensors only.

    Raises:
        BadSetting: it is not a safetensors file.
    """
    from safetensors import SafetensorError, safe_open

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
    path = Path(given).expanduser()
    resolved = (path if path.is_absolute() else roots[0] / path).resolve()
    if not any(resolved.is_relative_to(root.resolve()) for root in roots):
        raise BadSetting(
            f"'{given}' is outside the folders that this page may read. Use a folder below "
            f"{', '.join(map(str, roots))}, or start `vitrail studio --allow FOLDER`."
        )
    if not resolved.is_dir():
        raise BadSetting(f"'{given}' is not a folder. Use a folder that contains one folder of images per class.")
    return resolved


def unpacked(archive: Path, folder: Path) -> Path:
    """Unpacks the images of a zip into the new folder `folder`; other files are skipped.

    Returns:
        The folder that contains the class folders.
    Raises:
        BadSetting: it is not a zip, contains no images, too many or too large ones, or paths that lead out of it.
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
        if path.suffix.lower() in IMAGE_ENDINGS and not path.name.startswith(".") and "__MACOSX" not in path.parts:
            found = True
            yield member
    if not found:
        raise BadSetting("The zip contains no images. Use a zip of class folders.")


def _copy(source: object, out: object, member: zipfile.ZipInfo) -> None:
    """Copies as many bytes as the zip states, and no more, since the limit was checked with that size."""
    left = member.file_size
    while chunk := source.read(min(left + 1, 1 << 20)):  # type: ignore[attr-defined]
        left -= len(chunk)
        if left < 0:
            raise BadSetting(f"'{member.filename}' is larger than the zip states. Use an undamaged zip.")
        out.write(chunk)  # type: ignore[attr-defined]
