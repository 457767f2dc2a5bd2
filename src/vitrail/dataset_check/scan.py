"""One pass over the files: digests, thumbnails and simple properties of every image that can be read."""

from __future__ import annotations

import hashlib
from collections.abc import Generator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from jaxtyping import Float32, Int64, UInt8
from PIL import Image

from vitrail.dataset_check.properties import PROPERTIES, measure_properties
from vitrail.decoding import decode_fast
from vitrail.devices import cpu_count
from vitrail.errors import BadImage
from vitrail.events import Progress
from vitrail.image_files import display_name, read_bytes, skipped_entry
from vitrail.image_formats import format_of

SIDE = 32  # pixels of a thumbnail: 1 KB an image, 100 MB for 100,000
CHUNK = 256  # images between two reports of progress


@dataclass(frozen=True)
class Scan:
    """What one pass over the files gives, of the n readable ones among them.

    Attributes:
        rows: (n,), positions of the readable files among those given, ascending.
        file_digests, pixel_digests: sha256 of each file's bytes, and of its decoded pixels.
        thumbnails: (n, 32, 32), grey; the whole image, whatever its shape.
        properties: (n, P), the columns of `vitrail.dataset_check.properties.PROPERTIES`.
        formats: file format of each, by its content ("JPEG").
        skipped: the other files: `file`, `kind` and `reason` of each.
    """

    rows: Int64[np.ndarray, " n"] = field(repr=False)
    file_digests: Sequence[bytes] = field(repr=False)
    pixel_digests: Sequence[bytes] = field(repr=False)
    thumbnails: UInt8[np.ndarray, "n 32 32"] = field(repr=False)
    properties: Float32[np.ndarray, "n P"] = field(repr=False)
    formats: Sequence[str] = field(repr=False)
    skipped: Sequence[Mapping[str, str]]

    def column(self, name: str) -> Float32[np.ndarray, " n"]:
        """(n,), one property of every image."""
        return np.asarray(self.properties[:, PROPERTIES.index(name)])

    def select(self, rows: Int64[np.ndarray, " m"]) -> Scan:
        """The scan of the files at `rows`, a subset of `self.rows`."""
        if np.array_equal(rows, self.rows):
            return self
        places = np.searchsorted(self.rows, rows)
        return Scan(
            rows,
            [self.file_digests[place] for place in places],
            [self.pixel_digests[place] for place in places],
            self.thumbnails[places],
            self.properties[places],
            [self.formats[place] for place in places],
            self.skipped,
        )


@dataclass(frozen=True)
class _Image:
    file_digest: bytes
    pixel_digest: bytes
    thumbnail: np.ndarray
    properties: np.ndarray
    format: str


def scan_images(files: Sequence[Path]) -> Generator[Progress, None, Scan]:
    """Reads every file once; yields progress and returns the scan. Memory: some 1.2 KB an image.

    A file that cannot be read is left out and named in `skipped`.
    """
    thumbnails = np.empty((len(files), SIDE, SIDE), np.uint8)
    properties = np.empty((len(files), len(PROPERTIES)), np.float32)
    file_digests, pixel_digests, formats = [], [], []
    rows: list[int] = []
    skipped = []
    with ThreadPoolExecutor(cpu_count()) as pool:
        for start in range(0, len(files), CHUNK):
            chunk = files[start : start + CHUNK]
            for row, (file, image) in enumerate(zip(chunk, pool.map(_read, chunk), strict=True), start):
                if isinstance(image, BadImage):
                    skipped.append(skipped_entry(file, image))
                    continue
                thumbnails[len(rows)], properties[len(rows)] = image.thumbnail, image.properties
                file_digests.append(image.file_digest)
                pixel_digests.append(image.pixel_digest)
                formats.append(image.format)
                rows.append(row)
            yield Progress("scan", start + len(chunk), len(files))
    n = len(rows)
    return Scan(np.array(rows, np.int64), file_digests, pixel_digests, thumbnails[:n], properties[:n], formats, skipped)


def _read(file: Path) -> _Image | BadImage:
    try:
        data = read_bytes(file)
        _, decoded = decode_fast(data, name=display_name(file))
    except BadImage as error:
        return error
    pixels = decoded if isinstance(decoded, np.ndarray) and decoded.shape[-1] == 3 else None
    if isinstance(decoded, np.ndarray):
        decoded = Image.fromarray(decoded.squeeze(-1) if decoded.shape[-1] == 1 else decoded)
    # As RGB, so that a grey image saved with one channel and with three has the same digest.
    digest = hashlib.sha256(repr(decoded.size).encode())
    digest.update(decoded.convert("RGB").tobytes() if pixels is None else np.ascontiguousarray(pixels).data)
    grey = decoded if decoded.mode == "L" else decoded.convert("L")
    return _Image(
        hashlib.sha256(data).digest(),
        digest.digest(),
        np.asarray(grey.resize((SIDE, SIDE), Image.Resampling.BILINEAR)),
        measure_properties(decoded, len(data), grey=grey),
        format_of(data) or "",
    )
