"""Test images of which an altered copy is among the training images, found in the time that a few take to read."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float32
from PIL import Image

from vitrail.dataset_check.alignment import aligned_distances, coarse_distances
from vitrail.dataset_check.duplicates import FALSE_ALARMS, threshold_of
from vitrail.dataset_check.neighbours import nearest_neighbours
from vitrail.dataset_check.scan import SIDE
from vitrail.decoding import decode
from vitrail.devices import cpu_count
from vitrail.errors import BadImage
from vitrail.events import Progress

BASELINE = 100  # test images, drawn at random, whose two nearest training images are the baseline
BLOCK = 100  # test images that are compared next, the nearest to a training image first
FEWEST = 0.02  # share of copies in a block below which no further block is compared


def find_near_copies(
    train: Sequence[Path],
    test: Sequence[Path],
    train_features: Float32[np.ndarray, "n d"],
    test_features: Float32[np.ndarray, "m d"],
    *,
    seed: int = 0,
) -> Generator[Progress, None, Bool[np.ndarray, " m"]]:
    """Whether each test image is a copy of a training image: recompressed, resized, cropped, mirrored, of other light.

    Yields progress. Each test image is compared with its nearest training image in feature space, as
    `vitrail.dataset_check.find_copies` compares images, with its threshold, but only where the two are unusually near
    there: a data set without copies costs the reading of some 500 images, whatever its size.

    Args:
        train_features, test_features: rows of unit length.
        seed: of the images that are the baseline.
    """
    copies = np.zeros(len(test), bool)
    similarities, places = nearest_neighbours(test_features, train_features, 2)
    if not places.size:
        return copies
    pairs = _Pairs(train, test, places)
    drawn = np.sort(np.random.default_rng(seed).permutation(len(test))[:BASELINE])
    yield Progress("copies", 0, len(test))
    two = [pairs.distances(drawn, rank).astype(np.float64) for rank in range(places.shape[1])]
    nearest, second = np.sort(two, axis=0) if len(two) > 1 else (two[0], np.ones(len(drawn)))
    threshold, _ = threshold_of(nearest, second, FALSE_ALARMS * len(drawn) / len(test))
    order = np.argsort(-similarities[:, 0], kind="stable")
    for start in range(0, len(order), BLOCK):
        block = order[start : start + BLOCK]
        copies[block] = pairs.distances(block, 0) <= threshold
        if copies[block].mean() < FEWEST:
            break
        yield Progress("copies", min(start + BLOCK, len(test) - 1), len(test))
    yield Progress("copies", len(test), len(test))
    return copies


class _Pairs:
    """Test images and their nearest training images, read when they are asked for.

    Args:
        places: (m, count), of the nearest training images of each test image.
    """

    def __init__(self, train: Sequence[Path], test: Sequence[Path], places: np.ndarray) -> None:
        self._train, self._test, self._places = train, test, places

    def distances(self, rows: np.ndarray, rank: int) -> Float32[np.ndarray, " rows"]:
        """Of the test images at `rows` to their nearest training image but `rank`; 1 where one cannot be read."""
        others = self._places[rows, rank]
        files = dict.fromkeys([*(self._test[row] for row in rows), *(self._train[place] for place in others)])
        number = {file: place for place, file in enumerate(files)}
        thumbnails = _thumbnails(files)
        left = np.array([number[self._test[row]] for row in rows], np.int64)
        right = np.array([number[self._train[place]] for place in others], np.int64)
        _, start = coarse_distances(thumbnails, left, right)
        aligned, _ = aligned_distances(thumbnails, left, right, start)
        return aligned


def _thumbnails(files: Iterable[Path]) -> np.ndarray:
    """(n, 32, 32) uint8, grey; black where a file can no longer be read: without details it is like no other."""
    with ThreadPoolExecutor(cpu_count()) as pool:
        return np.stack(list(pool.map(_thumbnail, files)))


def _thumbnail(file: Path) -> np.ndarray:
    try:
        _, image = decode(file, short_side=2 * SIDE)
    except BadImage:
        return np.zeros((SIDE, SIDE), np.uint8)
    grey = image if image.mode == "L" else image.convert("L")
    return np.asarray(grey.resize((SIDE, SIDE), Image.Resampling.BILINEAR))
