"""Labelled images of WebDataset's tar files (https://github.com/webdataset/webdataset)."""

from __future__ import annotations

from pathlib import Path

from vitrail.datasets.dataset import Dataset, make_dataset
from vitrail.datasets.parts import part_named
from vitrail.folder_walk import LeftOut, list_folder
from vitrail.formatting import display_name
from vitrail.image_files import find_images, is_image_name
from vitrail.tars import is_tar, list_members, read_member, split_tar_path

LONGEST = 1000  # bytes of a `.cls`


def holds_tars(root: Path) -> bool:
    """Whether a folder holds tar files, and nothing else that counts."""
    if not root.is_dir():
        return False
    files, folders = list_folder(root, LeftOut())
    return any(map(is_tar, files)) and not folders and not any(is_image_name(file.name) for file in files)


def read_tar_images(root: Path) -> Dataset:
    """The images of a tar file, or of those in a folder.

    The class of `17.jpg` is in `17.cls`, or is the folder around it; where some images have neither, no class is known.
    Its part is what the tar file's name begins with: `train-0001.tar`.

    Raises:
        BadFolder: a tar file cannot be read, or holds no image.
    """
    left_out = LeftOut()
    files = find_images([root], left_out)
    places = [split_tar_path(file) or (file.parent, file.name) for file in files]
    names = [_class_of(tar, name) for tar, name in places]
    parts = [part_named(tar.stem) or "" for tar, _ in places]
    notes: tuple[str, ...] = ()
    if "" in names and any(names):
        without = display_name(files[names.index("")].name)
        notes = (f"'{without}' has no class, as a file ending in .cls or a folder around it would give: none is used.",)
        names = [""] * len(names)
    if "" in parts:
        parts = [""] * len(parts)
    return make_dataset(files, names, parts, left_out=left_out, notes=notes)


def _class_of(tar: Path, name: str) -> str:
    folder, _, last = name.rpartition("/")
    label = f"{folder}/{last.partition('.')[0]}.cls".lstrip("/")  # a sample's name ends at its first dot
    if label in list_members(tar):
        return (read_member(tar, label, LONGEST) or b"").decode(errors="replace").strip()
    return folder.rpartition("/")[2]
