"""Scikit-learn's 1,797 handwritten digits of 8×8 pixels (Alpaydin and Kaynak, 1998, https://doi.org/10.24432/C50P49).

They come inside scikit-learn's package (CC BY 4.0), so they need no network.
"""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image

from vitrail import files
from vitrail.datasets.dataset import Dataset
from vitrail.datasets.folder import read_folder

EVERY_FIFTH = 5
ENLARGED = 8  # 8×8 pixels become 64×64, so that a viewer shows them


def digits(root: Path) -> Dataset:
    """1,797 handwritten digits of 8 x 8 pixels, every fifth one for test (scikit-learn); PNG files below `root`.

    Raises:
        CannotWrite: `root` cannot be written.
    """
    if not (root / "complete").exists():
        write_digits(root)
    return replace(read_folder(root), left_out={})  # but for the file that says it is complete


def write_digits(root: Path) -> None:
    """Writes `train/0/0000.png` … below `root`, and the file `complete` last."""
    from sklearn.datasets import load_digits

    data = load_digits()
    for index, (image, label) in enumerate(zip(data.images, data.target, strict=True)):
        part = "test" if index % EVERY_FIFTH == 0 else "train"
        grey = np.kron(image * (255 / 16), np.ones((ENLARGED, ENLARGED))).round().astype(np.uint8)
        png = io.BytesIO()
        Image.fromarray(grey).save(png, "PNG")
        files.write_bytes(root / part / str(label) / f"{index:04d}.png", png.getbuffer(), within=root)
    files.write_text(root / "complete", "", within=root)
