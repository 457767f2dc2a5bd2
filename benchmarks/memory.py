"""Peak memory of `vitrail transfer` on many synthetic images, whole process.

    python benchmarks/memory.py [--images 10000 100000] [--backbone squeezenet]

Images are 32 x 32 pixels, four classes of stripes under noise. One JSON document goes to stdout: for each count the
peak resident memory, that of the features themselves (images x dimension x 4 bytes), and the difference.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

CLASSES = 4


def make(folder: Path, images: int) -> None:
    """Writes `images` files, a fifth of them for test."""
    rng = np.random.default_rng(0)
    places = np.mgrid[0:32, 0:32]
    for label in range(CLASSES):
        for part in ("train", "test"):
            (folder / part / str(label)).mkdir(parents=True)
    for index in range(images):
        label = index % CLASSES
        angle = np.pi * label / CLASSES + rng.normal(0, 0.15)
        wave = 127 + 60 * np.sin((places[0] * np.sin(angle) + places[1] * np.cos(angle)) * rng.uniform(0.5, 1.5))
        grey = (wave + rng.normal(0, 25, (32, 32))).clip(0, 255).astype(np.uint8)
        part = "test" if index // CLASSES % 5 == 0 else "train"
        Image.fromarray(grey).save(folder / part / str(label) / f"{index:06d}.png")


def dimension(backbone: str) -> int:
    """Numbers an image, over all layers that the recipe offers."""
    import torch

    from vitrail.backbones import BACKBONES

    network = BACKBONES[backbone]()
    with torch.no_grad():
        rows = network.features(torch.zeros(1, 3, network.size, network.size), network.feature_layers)
    return sum(row.shape[1] for row in rows.values())


def measure(images: int, backbone: str) -> dict:
    """One run in a process of its own, started by one that has no other children."""
    with tempfile.TemporaryDirectory() as home:
        make(Path(home) / "images", images)
        command = [sys.executable, "-m", "vitrail", "transfer", f"{home}/images", "--backbone", backbone]
        command += ["--cache", f"{home}/cache", "--run", f"{home}/run", "--json"]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
    result = json.loads(done.stdout)
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 2**20
    features = images * dimension(backbone) * 4 / 2**30
    return {
        "images": images,
        "peak_GiB": round(peak, 3),
        "features_GiB": round(features, 3),
        "beyond_GiB": round(peak - features, 3),
        "accuracy": result["test"]["accuracy"],
        "seconds": result["seconds"],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, nargs="+", default=[10_000, 100_000], help="rising")
    parser.add_argument("--backbone", default="squeezenet")
    options = parser.parse_args()
    print(json.dumps([measure(images, options.backbone) for images in options.images], indent=2))


if __name__ == "__main__":
    main()
