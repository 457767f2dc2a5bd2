"""The idx files of MNIST and its relatives (LeCun et al., 1998, http://yann.lecun.com/exdb/mnist/), packed or not."""

import gzip
import math
import struct
import zlib
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from vitrail.errors import BadFolder, one_line
from vitrail.image_files import display_name
from vitrail.reading import open_regular

PARTS = {"train": "train", "test": "t10k"}
MOST_BYTES = 1_000_000_000  # of a file, unpacked: the largest of MNIST's relatives has 547,000,000


def has_idx(root: Path) -> bool:
    """Whether `root` holds a training part."""
    return _file(root, "train-images-idx3-ubyte") is not None


def read_part(root: Path, split: str) -> tuple[Tensor, Tensor]:
    """Images (N, 1, H, W) uint8 and labels (N,) int64 of `split`, "train" or "test".

    Raises:
        BadFolder: a file is missing, cut short or of another kind; or there are not as many labels as images.
    """
    images = _read(root, f"{PARTS[split]}-images-idx3-ubyte", 3)
    labels = _read(root, f"{PARTS[split]}-labels-idx1-ubyte", 1)
    if len(images) != len(labels):
        raise BadFolder(f"'{display_name(root)}' has {len(images)} images and {len(labels)} labels in {split}.")
    return images[:, None], labels.long()


def _file(root: Path, name: str) -> Path | None:
    return next((path for path in (root / name, root / f"{name}.gz") if path.is_file()), None)


def _read(root: Path, name: str, axes: int) -> Tensor:
    path = _file(root, name)
    if path is None:
        raise BadFolder(
            f"'{display_name(root)}' has no file {name} or {name}.gz. Use a folder with the four idx files."
        )
    try:
        with open_regular(path) as plain, gzip.open(plain) if path.suffix == ".gz" else plain as file:
            head = file.read(4 + 4 * axes)
            shape = struct.unpack(f">{axes}I", head[4:]) if len(head) == 4 + 4 * axes else (-1,)
            count = math.prod(shape)
            data = file.read(count + 1) if count <= MOST_BYTES else b""  # a small file can unpack to any size
    except (OSError, EOFError, zlib.error) as error:
        raise BadFolder(f"'{display_name(path)}' cannot be read ({one_line(error)}). Use a complete copy.") from None
    if head[:4] != bytes((0, 0, 8, axes)) or len(data) != count:
        raise BadFolder(
            f"'{display_name(path)}' is no idx file of 8 bits, {axes} axes and at most {MOST_BYTES:,} bytes, or is cut "
            "short. Use a complete copy."
        )
    return torch.from_numpy(np.frombuffer(data, np.uint8).reshape(shape).copy())
