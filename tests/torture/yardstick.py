"""How long is too long: measured on the machine at hand, as no number of seconds is right on every machine."""

import time
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from image_bytes import encoded, ramps
from PIL import Image

from vitrail.image_files import PIXEL_LIMIT
from vitrail.images import read_pixels

SIDE = 3_000
TIMES = 3
"""So many times what the largest ordinary image takes, a file made to trip a reader may take: a clear one of 16 bits
has over twice the bytes, and other work on the machine costs processor time too."""


def most_seconds() -> float:
    """Of processor time, for one file: from an ordinary PNG, read framed and whole, as for the most pixels allowed."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "ordinary.png"
        path.write_bytes(encoded(Image.fromarray(ramps(SIDE, SIDE)), "PNG"))
        return TIMES * median(_seconds(path) for _ in range(3)) * PIXEL_LIMIT / SIDE**2


def _seconds(path: Path) -> float:
    started = time.process_time()
    read_pixels(path, short_side=64, crop=56)
    read_pixels(path)
    return time.process_time() - started
