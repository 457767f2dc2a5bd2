"""Small images with something to learn from: each label has stripes of its own direction and width."""

import io
import unicodedata
import zlib
from pathlib import Path

import numpy as np
from PIL import Image

NAMES = ("brick", "grass", "gravel")
SIDE = 24  # pixels


def drawn(label, number, side=SIDE):
    """Image `number` of a label, always the same; no two are equal, and no two labels look alike."""
    seed = zlib.crc32(unicodedata.normalize("NFC", label).encode())
    angle, width = seed % 180, 1 + seed // 180 % 3
    rng = np.random.default_rng((seed, number))
    across, down = np.meshgrid(np.arange(side), np.arange(side))
    along = across * np.cos(np.radians(angle)) + down * np.sin(np.radians(angle))
    grey = 127 + 90 * np.sin(along / width + 6 * rng.random()) + rng.normal(0, 12, (side, side))
    return Image.fromarray(grey.clip(0, 255).astype(np.uint8)).convert("RGB")


def noise(number, side=SIDE):
    """Image `number` of those of which nothing can be learned."""
    return Image.fromarray(np.random.default_rng(number).integers(0, 256, (side, side, 3), dtype=np.uint8))


def one_pixel():
    """The smallest PNG file."""
    file = io.BytesIO()
    Image.new("RGB", (1, 1)).save(file, "PNG")
    return file.getvalue()


def lay(root, places, suffix="png"):
    """Fills `root` with images; `places`: a folder in it, whose last name is the label, and how many images it gets.

    Images of one label go on where the last folder of that label ended, so that none is there twice.
    """
    done = dict[str, int]()
    for place, count in places.items():
        folder = Path(root, place)
        folder.mkdir(parents=True, exist_ok=True)
        label = unicodedata.normalize("NFC", folder.name)
        for number in range(done.get(label, 0), done.get(label, 0) + count):
            drawn(label, number).save(folder / f"{number:03}.{suffix}")
        done[label] = done.get(label, 0) + count
    return Path(root)


def parts_of(*parts, names=NAMES, counts=(6, 3)):
    """For `lay`: a folder for each class in each of these parts; the first part has the most images."""
    return {
        f"{part}/{name}": counts[0] if number == 0 else counts[1] for number, part in enumerate(parts) for name in names
    }
