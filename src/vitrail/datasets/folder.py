"""A folder of images: in parts or not, with a folder for each class or not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from vitrail.datasets.dataset import Dataset, make_dataset
from vitrail.datasets.parts import may_surround, part_among, part_named
from vitrail.errors import BadFolder
from vitrail.folder_walk import LeftOut, folders_in, kind_of, list_folder
from vitrail.formatting import count, display_name
from vitrail.image_files import images_below, is_image_name
from vitrail.image_formats import SUFFIXES
from vitrail.tables import SUFFIXES as TABLE_SUFFIXES

NAMED = 3  # folders named in a note


@dataclass
class _Reading:
    """What has been read so far."""

    files: list[Path] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    parts: list[str] = field(default_factory=list)
    left_out: LeftOut = field(default_factory=LeftOut)
    notes: list[str] = field(default_factory=list)

    def add(self, files: Sequence[Path], name: str, part: str) -> None:
        self.files += files
        self.names += [name] * len(files)
        self.parts += [part] * len(files)


def read_folder(root: Path) -> Dataset:
    """The images below a folder.

    A folder that holds nothing but one other with folders in it is gone into. Folders called like parts are parts (see
    `part_named`). Of each part, or of the whole, the folders in it are classes, unless images lie beside a single one:
    then all are images without a class. Folders of systems, hidden files, empty folders and what is no image are left
    out and counted.

    Raises:
        BadFolder: the folder is missing or cannot be listed, or there is no image in it.
    """
    if not root.is_dir():
        name = display_name(root)
        if root.exists():
            tables = ", ".join(TABLE_SUFFIXES)
            raise BadFolder(
                f"'{name}' is a file, and no table ({tables}) or tar file. Use a folder of images, or those."
            )
        raise BadFolder(f"The folder '{name}' does not exist. Use a folder of images, or of one for each class.")
    reading = _Reading()
    home = _gone_into(root, reading)
    if parts := part_folders(home):
        reading = _read_parts(home, parts, reading)
    if not reading.files:
        _read_part(home, "", reading)
    if not reading.files:
        raise BadFolder(f"There is no image in '{display_name(root)}'. Use files ending in {' '.join(SUFFIXES)}.")
    return make_dataset(reading.files, reading.names, reading.parts, left_out=reading.left_out, notes=reading.notes)


def _read_parts(home: Path, parts: Mapping[Path, str], before: _Reading) -> _Reading:
    """What was read before, and the parts; without these if no image is in them."""
    reading = _Reading(left_out=before.left_out.copy(), notes=[*before.notes])
    for folder in folders_in(home):
        if folder in parts:
            _read_part(folder, parts[folder], reading)
        else:
            inside = list(images_below(folder, reading.left_out))
            reading.left_out[f"in '{display_name(folder.name)}', which is no part"] += len(inside)
    loose, _ = _loose_images(home, reading.left_out)
    reading.left_out["beside the parts"] += len(loose)
    return reading if reading.files else before


def part_folders(home: Path) -> Mapping[Path, str]:
    """The folders in `home` that are parts, and which; none if they are not.

    Folders with other names beside them make classes of all, unless those that are called like parts hold folders
    themselves, as parts do, and the others do not, or there are several parts.
    """
    folders = folders_in(home)
    found = {folder: part for folder in folders if (part := part_named(folder.name, home.name))}
    others = [folder for folder in folders if folder not in found]
    if not others:
        return found
    if alike := _alike(folders):
        return _parts_among(alike, home)
    hold_folders = all(folders_in(folder) for folder, part in found.items() if part == "train")
    several = len(set(found.values())) > 1
    if "train" in found.values() and hold_folders and (several or not any(map(folders_in, others))):
        return found
    return {}


def _alike(folders: Sequence[Path]) -> list[Path]:
    """Those of the folders that hold, for the most part, folders of the same names, as parts do; none if one does."""
    inside = {folder: {each.name for each in folders_in(folder)} for folder in folders}
    most = max(inside.values(), key=len, default=set())
    alike = [folder for folder, names in inside.items() if 2 * len(names & most) > len(names)]
    return alike if len(alike) > 1 and len(most) > 1 else []


def _parts_among(alike: Sequence[Path], home: Path) -> Mapping[Path, str]:
    """The parts that folders which look like them are; none where no name is like that of a part.

    Raises:
        BadFolder: some of the names are.
    """
    found = {folder: part_among(folder.name) for folder in alike}
    named = {folder: part for folder, part in found.items() if part}
    if named and (len(named) < len(found) or "train" not in named.values()):
        shown = ", ".join(f"'{display_name(folder.name)}'" for folder in alike[:NAMED])
        raise BadFolder(
            f"The folders {shown} in '{display_name(home)}' hold the same folders, as parts do, but not all have names "
            "of parts. Use the names train, val and test.",
            path=str(home),
        )
    return named


def _gone_into(root: Path, reading: _Reading) -> Path:
    """The folder to read: that inside a folder which holds nothing else."""
    home = root
    while len(inside := folders_in(home)) == 1 and folders_in(inside[0]):
        loose, _ = _loose_images(home, LeftOut())
        if loose:
            break
        _loose_images(home, reading.left_out)
        home = inside[0]
    if home != root:
        reading.notes.append(f"The images are in '{display_name(home.relative_to(root))}'.")
    return home


def _read_part(home: Path, part: str, reading: _Reading) -> None:
    if part and len(inside := folders_in(home)) == 1 and may_surround(inside[0].name):
        home = _gone_into(home, reading)
    loose, folders = _loose_images(home, reading.left_out)
    if not part and _hold_parts(folders):
        for folder in folders:
            _read_parts_of_class(folder, reading)
        reading.left_out["beside the class folders"] += len(loose)
        return
    below = {folder: list(images_below(folder, reading.left_out)) for folder in folders}
    full = {folder: images for folder, images in below.items() if images}
    empty = [folder for folder in folders if folder not in full]
    if empty and full:
        named = ", ".join(f"'{display_name(folder.name)}'" for folder in empty[:NAMED])
        more = f" and {len(empty) - NAMED} more" if len(empty) > NAMED else ""
        here = f" in {part}" if part else ""
        reading.notes.append(f"Without an image{here}, and left out: {named}{more}.")
    if len(full) > 1 or (full and not loose):
        for folder, images in full.items():
            reading.add(images, folder.name, part)
        reading.left_out["beside the class folders"] += len(loose)
        return
    reading.add(loose, "", part)
    for folder, images in full.items():
        reading.add(images, "", part)
        images_here = count(len(loose), "image lies", "images lie")
        reading.notes.append(
            f"{images_here} beside the folder '{display_name(folder.name)}': all are read, as no class."
        )


def _hold_parts(folders: Sequence[Path]) -> bool:
    """Whether each of the folders holds parts, as `cat/train` and `cat/test` do."""
    inside = [[part_named(each.name) for each in folders_in(folder)] for folder in folders]
    return len(inside) > 1 and all("train" in parts and None not in parts and len(parts) > 1 for parts in inside)


def _read_parts_of_class(folder: Path, reading: _Reading) -> None:
    loose, parts = _loose_images(folder, reading.left_out)
    reading.left_out["beside the parts"] += len(loose)
    for each in parts:
        reading.add(list(images_below(each, reading.left_out)), folder.name, part_named(each.name) or "")


def _loose_images(home: Path, left_out: LeftOut) -> tuple[list[Path], list[Path]]:
    """The images directly in a folder, and the folders in it."""
    files, folders = list_folder(home, left_out)
    left_out.update(kind_of(file) for file in files if not is_image_name(file.name))
    return [file for file in files if is_image_name(file.name)], folders
