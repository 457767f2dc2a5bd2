"""Accuracy with our decoding and resizing, against Pillow's decoding followed by its resizing.

    python benchmarks/decode_accuracy.py FOLDER [--backbone efficientnet-lite0]

FOLDER holds `train/` and `test/`. `transfer` runs twice with its defaults, once on images that Pillow decoded, resized
and cropped; one JSON document goes to stdout.
"""

import argparse
import json
import tempfile
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from PIL.Image import Resampling

from vitrail import images
from vitrail.tasks.transfer import Transfer


def by_pillow(source, *, short_side, crop, interpolation="bilinear", name="image"):
    """The same image in two plain steps: Pillow's resize, Pillow's crop."""
    with Image.open(source) as opened:
        image = opened.convert("RGB")
    size = images.resized_size(image.size, short_side)
    image = image.resize(size, Resampling.BICUBIC if interpolation == "bicubic" else Resampling.BILINEAR)
    left, top = (round((side - crop) / 2) for side in size)
    return torch.from_numpy(np.array(image.crop((left, top, left + crop, top + crop)))).permute(2, 0, 1)


def accuracy(folder: Path, backbone: str) -> dict:
    with tempfile.TemporaryDirectory() as cache:
        *_, result = Transfer(folder=folder, backbone=backbone, cache=Path(cache)).run()
    test = result.values["test"]
    right = round(test["accuracy"] * test["n"])
    return {"accuracy": test["accuracy"], "right": right, "n": test["n"], "C": result.values["choice"]["C"]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--backbone", default="efficientnet-lite0")
    options = parser.parse_args()
    ours = accuracy(options.folder, options.backbone)
    images.read_pixels = by_pillow
    print(json.dumps({"vitrail": ours, "pillow": accuracy(options.folder, options.backbone)}, indent=2))


if __name__ == "__main__":
    main()
