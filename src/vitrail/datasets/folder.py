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
    if any(part_named(folder.name, home.name) is None for folder in parts):
        named = ", ".join(f"'{display_name(folder.name)}' is {part}" for folder, part in parts.items())
        reading.notes.append(f"Folders that hold the same folders are parts: {named}.")
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
    hold_folders = all(folders_in(folder) for folder, part in found.items() if part == "train")
    several = len(set(found.values())) > 1
    if "train" in found.values() and hold_folders and (several or not any(map(folders_in, others))):
        return found
    return _parts_that_look_alike(found, folders, home)


def _parts_that_look_alike(found: Mapping[Path, str], folders: Sequence[Path], home: Path) -> Mapping[Path, str]:
    """Parts among folders that hold folders of the same names, by a word in their names; none if these are classes.

    Args:
        found: those whose whole name is that of a part; another folder is never one of the same.
    Raises:
        BadFolder: there are two such folders, and only one has a name of a part.
    """
    alike = _alike(folders)
    loose = {folder: part for folder in alike if folder not in found and (part := part_among(folder.name))}
    parts = {**found, **{folder: part for folder, part in loose.items() if part not in found.values()}}
    parts = {folder: part for folder, part in parts.items() if folder in alike}
    if "train" in parts.values() and len(set(parts.values())) > 1:
        return parts
    if len(alike) == len(folders) == 2 and "train" in parts.values():
        shown = " and ".join(f"'{display_name(folder.name)}'" for folder in alike)
        raise BadFolder(
            f"The folders {shown} in '{display_name(home)}' hold the same folders, as parts do, but only one has the "
            "name of a part. Use the names train and test, or a table of files and classes if these are classes."
        )
    return {}


def _alike(folders: Sequence[Path]) -> list[Path]:
    """The most of the folders that hold folders of the same names, nearly, as parts do; none if only one does."""
    inside = {folder: {each.name for each in folders_in(folder)} for folder in folders}
    groups = [
        [folder for folder, names in inside.items() if 2 * len(names & of_one) > len(names)]
        for of_one in inside.values()
        if len(of_one) > 1
    ]
    most = max(groups, key=len, default=[])
    return most if len(most) > 1 else []


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
        reading.notes.append("The parts are folders inside of the classes.")
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


def _inner_part(folder: Path) -> str | None:
    return part_named(folder.name) or part_among(folder.name)


def _hold_parts(folders: Sequence[Path]) -> bool:
    """Whether the folders hold parts, as `cat/train` and `cat/test` do: most of them, or all and nothing else."""
    inside = [set(map(_inner_part, below)) for folder in folders if (below := folders_in(folder))]
    hold = [parts for parts in inside if "train" in parts and len(parts - {None}) > 1]
    nothing_else = None not in set().union(*inside)
    return len(inside) > 1 and bool(hold) and (nothing_else or (len(hold) > 1 and 2 * len(hold) >= len(inside)))


def _read_parts_of_class(folder: Path, reading: _Reading) -> None:
    loose, below = _loose_images(folder, reading.left_out)
    reading.left_out["beside the parts"] += len(loose)
    for each in below:
        images, part = list(images_below(each, reading.left_out)), _inner_part(each)
        if part is None:
            reading.left_out[f"in '{display_name(each.name)}', which is no part"] += len(images)
        else:
            reading.add(images, folder.name, part)


def _loose_images(home: Path, left_out: LeftOut) -> tuple[list[Path], list[Path]]:
    """The images directly in a folder, and the folders in it."""
    files, folders = list_folder(home, left_out)
    left_out.update(kind_of(file) for file in files if not is_image_name(file.name))
    return [file for file in files if is_image_name(file.name)], folders
