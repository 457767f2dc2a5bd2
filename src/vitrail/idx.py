"""The idx files of MNIST and its relatives (LeCun et al., 1998, http://yann.lecun.com/exdb/mnist/), packed or not.

An image in one is a file like any other: `mnist/train-images-idx3-ubyte.gz/00017.pgm` is the eighteenth.
"""

from __future__ import annotations

import gzip
import math
import os
import re
import struct
import zlib
from functools import lru_cache
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from vitrail.errors import BadFolder, one_line
from vitrail.formatting import display_name
from vitrail.reading import open_regular

PARTS = {"train": "train", "test": "t10k"}
MOST_BYTES = 1_000_000_000  # of a file, unpacked: the largest of MNIST's relatives has 547,000,000
MOST_IMAGES = 1_000_000  # of a part: each has a path
OPEN = 2  # files of images that are in memory

_IMAGES = re.compile(rf"({'|'.join(PARTS.values())})-images-idx3-ubyte(\.gz)?")


def has_idx(root: Path) -> bool:
    """Whether `root` holds a training part."""
    return _file(root, "train-images-idx3-ubyte") is not None


def idx_files(root: Path) -> list[Path]:
    """Those of the four that `root` holds; none if there is no training part."""
    names = [f"{part}-{kind}-ubyte" for part in PARTS.values() for kind in ("images-idx3", "labels-idx1")]
    return [file for name in names if (file := _file(root, name))] if has_idx(root) else []


def read_part(root: Path, split: str) -> tuple[UInt8[np.ndarray, "n height width"], UInt8[np.ndarray, " n"]]:
    """Images and labels of `split`, "train" or "test".

    Raises:
        BadFolder: a file is missing, cut short or of another kind; or there are not as many labels as images.
    """
    images = _images(_found(root, f"{PARTS[split]}-images-idx3-ubyte"))
    labels = _read(_found(root, f"{PARTS[split]}-labels-idx1-ubyte"), 1)
    if len(images) != len(labels):
        raise BadFolder(f"'{display_name(root)}' has {len(images)} images and {len(labels)} labels in {split}.")
    return images, labels


def image_paths(root: Path, split: str, count: int | None = None) -> list[Path]:
    """The path of each image of a part, of which there are `count` (None: as many as there are).

    Raises:
        BadFolder: as `read_part`.
    """
    file = _found(root, f"{PARTS[split]}-images-idx3-ubyte")
    return [file / f"{number:05d}.pgm" for number in range(len(_images(file)) if count is None else count)]


def split_idx_path(path: Path) -> tuple[Path, int] | None:
    """The file of images that `path` leads into, and the number of one in it; None: it leads into none."""
    number = path.stem
    if (
        path.suffix != ".pgm"
        or not (number.isascii() and number.isdecimal())
        or not _IMAGES.fullmatch(path.parent.name)
    ):
        return None
    return (path.parent, int(number)) if path.parent.is_file() else None


def read_image(file: Path, number: int) -> bytes:
    """One image, as a PGM file.

    Raises:
        FileNotFoundError: there are not as many.
        BadFolder: as `read_part`.
    """
    images = _images(file)
    if number >= len(images):
        raise FileNotFoundError(2, "there are not as many images in that idx file")
    _, height, width = images.shape
    pixels: bytes = images[number].tobytes()
    return b"P5 %d %d 255\n" % (width, height) + pixels


def _file(root: Path, name: str) -> Path | None:
    return next((path for path in (root / name, root / f"{name}.gz") if path.is_file()), None)


def _found(root: Path, name: str) -> Path:
    path = _file(root, name)
    if path is None:
        raise BadFolder(
            f"'{display_name(root)}' has no file {name} or {name}.gz. Use a folder with the four idx files."
        )
    return path


def _images(file: Path) -> UInt8[np.ndarray, "n height width"]:
    status = os.stat(file)
    return _remembered(file, status.st_size, status.st_mtime_ns)


@lru_cache(OPEN)
def _remembered(file: Path, size: int, changed: int) -> np.ndarray:
    return _read(file, 3)


def _read(path: Path, axes: int) -> np.ndarray:
    try:
        with open_regular(path) as plain, gzip.open(plain) if path.suffix == ".gz" else plain as file:
            head = file.read(4 + 4 * axes)
            shape = struct.unpack(f">{axes}I", head[4:]) if len(head) == 4 + 4 * axes else (-1,)
            count = math.prod(shape) if 0 not in shape and shape[0] <= MOST_IMAGES else -1
            data = file.read(count + 1) if 0 < count <= MOST_BYTES else b""  # a small file can unpack to any size
    except (OSError, EOFError, zlib.error) as error:
        raise BadFolder(f"'{display_name(path)}' cannot be read ({one_line(error)}). Use a complete copy.") from None
    if head[:4] != bytes((0, 0, 8, axes)) or len(data) != count:
        raise BadFolder(
            f"'{display_name(path)}' is no idx file of 8 bits, {axes} axes, 1 to {MOST_IMAGES:,} images and at most "
            f"{MOST_BYTES:,} bytes, or is cut short. Use a complete copy."
        )
    return np.frombuffer(data, np.uint8).reshape(shape)
