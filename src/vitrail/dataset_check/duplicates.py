"""Exact and near duplicates: nearest neighbours, compared after alignment, cut off at the tail of different images."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Generator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Float32, Int64, UInt8

from vitrail.dataset_check.alignment import aligned_distances, coarse_distances
from vitrail.dataset_check.neighbours import nearest_neighbours
from vitrail.events import Progress

DEEP, PLAIN = 4, 2  # candidates of an image by features, and by thumbnails, plain and mirrored each
FINE = 2  # of them, those that are aligned finely: the nearest on the coarse grid
FALSE_ALARMS = 0.5  # expected number of images said to have a copy that have none, in the whole data
TRIMMED = 0.02  # share of the second nearest neighbours, the nearest of them, that are copies too, or of one scene
COPY = 0.5  # of the second nearest distance: where the nearest is below, it may be a copy, and says nothing of others
FEWEST = 50  # different images without which there is no baseline
DEFAULT_THRESHOLD = 0.1  # then: what recompression and a change of size leave
LARGEST_THRESHOLD = 0.25  # what a crop to 90 % of the sides leaves; beyond are photographs of one scene
BLOCK = 16384  # pairs aligned between two reports of progress


@dataclass(frozen=True)
class Copies:
    """Images that are the same as others, among n.

    Attributes:
        group: (n,), the number of the group of copies each image belongs to; −1: it has none.
        pairs: (p, 2), pairs of copies, nearest first.
        distances: (p,), of the pairs, in [0, 1]; 0: equal pixels.
        mirrored: (p,), whether one of a pair is mirrored.
        threshold: largest distance of a copy.
        baseline: quantiles of the distance of different images to their nearest neighbour, by name; empty: undefined.
        expected_false_alarms: number of images, of all, expected below the threshold though they have no copy; None:
            undefined.
        undefined: why there is no baseline; empty: there is one.
    """

    group: Int64[np.ndarray, " n"] = field(repr=False)
    pairs: Int64[np.ndarray, "p 2"] = field(repr=False)
    distances: Float32[np.ndarray, " p"] = field(repr=False)
    mirrored: Bool[np.ndarray, " p"] = field(repr=False)
    threshold: float
    baseline: dict[str, float]
    expected_false_alarms: float | None
    undefined: str = ""

    def values(self) -> dict[str, Any]:
        """What the threshold comes from, as JSON values."""
        return {
            "threshold": self.threshold,
            "expected_false_alarms": self.expected_false_alarms,
            "nearest_different_image": self.baseline or None,
            "undefined": self.undefined or None,
        }


def find_copies(
    thumbnails: UInt8[np.ndarray, "n side side"],
    pixel_digests: Sequence[bytes],
    features: Float32[np.ndarray, "n d"] | None = None,
) -> Generator[Progress, None, Copies]:
    """Yields progress and returns the groups of copies.

    Copies are equal pixels, and pairs whose details agree after alignment (recompressed, resized, cropped to 80 % of
    the side, mirrored, brighter or darker) better than different images of these data ever would: the second nearest
    neighbours, which are no copies even where the nearest are, say how often two of those would come as near by chance.

    Args:
        pixel_digests: n, of the decoded pixels.
        features: rows of unit length; None: candidates come from thumbnails alone, and more crops are missed.
    """
    first_of: dict[bytes, int] = {}
    origin = np.array([first_of.setdefault(digest, row) for row, digest in enumerate(pixel_digests)], np.int64)
    different = np.unique(origin)
    if len(different) < len(origin):
        thumbnails, features = thumbnails[different], None if features is None else features[different]
    left, right = candidate_pairs(thumbnails, features)
    del features  # it may be a copy
    yield Progress("duplicates", 0, len(left), "pairs")
    coarse, start = coarse_distances(thumbnails, left, right)
    finest = _nearest_of_each(coarse, left, right, len(different), FINE)
    left, right, start = left[finest], right[finest], start[finest]
    distances, mirrored = np.ones(len(left), np.float32), np.zeros(len(left), bool)
    for block in range(0, len(left), BLOCK):
        rows = slice(block, block + BLOCK)
        distances[rows], mirrored[rows] = aligned_distances(thumbnails, left[rows], right[rows], start[rows])
        yield Progress("duplicates", min(block + BLOCK, len(left)), len(left), "pairs")
    threshold, tail = threshold_of(*_two_nearest(distances, left, right, len(different)))
    near = distances <= threshold
    copies = np.flatnonzero(origin != np.arange(len(origin)))
    pairs = np.concatenate(
        [np.stack([origin[copies], copies], 1), np.stack([different[left[near]], different[right[near]]], 1)]
    )
    gaps = np.concatenate([np.zeros(len(copies), np.float32), distances[near]])
    turned = np.concatenate([np.zeros(len(copies), bool), mirrored[near]])
    order = np.lexsort((pairs[:, 1], pairs[:, 0], gaps))
    return Copies(_groups(pairs, len(origin)), pairs[order], gaps[order], turned[order], threshold, *tail)


def candidate_pairs(
    thumbnails: UInt8[np.ndarray, "n side side"], features: Float32[np.ndarray, "n d"] | None
) -> tuple[Int64[np.ndarray, " p"], Int64[np.ndarray, " p"]]:
    """Pairs (left < right) of each image and its nearest neighbours, by features and by thumbnails, each pair once."""
    side = thumbnails.shape[-1]
    small = thumbnails.reshape(len(thumbnails), side // 2, 2, side // 2, 2).mean((2, 4), dtype=np.float32)
    plain, mirrored = _centred(small), _centred(small[:, :, ::-1])
    found = [
        nearest_neighbours(plain, plain, PLAIN, same=True)[1],
        nearest_neighbours(plain, mirrored, PLAIN, same=True)[1],
    ]
    if features is not None:
        found.append(nearest_neighbours(features, features, DEEP, same=True)[1])
    places = np.concatenate(found, axis=1)
    rows = np.repeat(np.arange(len(places)), places.shape[1])
    low, high = np.minimum(rows, places.ravel()), np.maximum(rows, places.ravel())
    keys = np.unique(low * len(thumbnails) + high)
    return keys // max(1, len(thumbnails)), keys % max(1, len(thumbnails))


def _centred(images: np.ndarray) -> Float32[np.ndarray, "n pixels"]:
    flat = images.reshape(len(images), math.prod(images.shape[1:]))
    centred = flat - flat.mean(axis=1, keepdims=True)
    return np.asarray(centred / np.maximum(np.linalg.norm(centred, axis=1, keepdims=True), 1e-6), np.float32)


def _two_nearest(distances: np.ndarray, left: np.ndarray, right: np.ndarray, n: int) -> Float[np.ndarray, "2 n"]:
    """Distances of each image to its nearest and second nearest neighbour; 1: none."""
    image, both = np.concatenate([left, right]), np.tile(distances, 2)
    order = np.lexsort((both, image))
    first = np.searchsorted(image[order], np.arange(n + 1))
    padded = np.append(both[order], [1.0, 1.0])
    return np.stack([np.where(first[:-1] + rank < first[1:], padded[first[:-1] + rank], 1.0) for rank in (0, 1)])


def _nearest_of_each(distances: np.ndarray, left: np.ndarray, right: np.ndarray, n: int, count: int) -> np.ndarray:
    """Places of the pairs that are among the `count` nearest of either image."""
    image, pair = np.concatenate([left, right]), np.tile(np.arange(len(left)), 2)
    order = np.lexsort((pair, distances[pair], image))
    first = np.searchsorted(image[order], np.arange(n))
    rank = np.arange(len(order)) - first[image[order]]
    return np.unique(pair[order[rank < count]])


def threshold_of(
    nearest: Float[np.ndarray, " n"], second: Float[np.ndarray, " n"], false_alarms: float = FALSE_ALARMS
) -> tuple[float, tuple[dict[str, float], float | None, str]]:
    """Threshold on the distance of copies; the baseline, the expected number of false alarms, and why undefined.

    Of different images at distances that follow a power law of exponent m near 0, the nearest is below t with the
    probability (t / x)^m where the second nearest is at x. The exponent comes from the median of x over the nearest
    distance (TwoNN, Facco et al., 2017, https://doi.org/10.1038/s41598-017-11873-y), which copies hardly move; t is
    where `false_alarms` of all images are expected below it.

    Args:
        nearest, second: distances of each image to its two nearest neighbours, copies among them.
    """
    known = (nearest < 1) & (second < 1)
    first, other = nearest[known], second[known]
    if len(first) < FEWEST:
        reason = f"only {len(first)} different images have details to compare; a baseline needs {FEWEST}"
        return DEFAULT_THRESHOLD, ({}, None, reason)
    if np.median(other) < DEFAULT_THRESHOLD:
        return DEFAULT_THRESHOLD, ({}, None, "half of the images and more have several copies")
    alone = first >= COPY * other
    if alone.sum() < FEWEST:
        return DEFAULT_THRESHOLD, ({}, None, "nearly all images have copies")
    exponent = _exponent(float(np.median(other[alone] / np.maximum(first[alone], 1e-9))))
    others = np.log(np.sort(np.maximum(other, 1e-6))[round(TRIMMED * len(other)) :])
    below = -exponent * others  # log of what each adds to the expected number, at t = 1
    threshold = min(LARGEST_THRESHOLD, float(np.exp((np.log(false_alarms) - np.logaddexp.reduce(below)) / exponent)))
    expected = float(np.exp(np.logaddexp.reduce(below) + exponent * np.log(threshold)))
    different = np.where(first <= threshold, other, first)
    different = different[different > threshold]
    names = ("least", "percentile_1", "percentile_10", "median")
    baseline = dict(zip(names, map(float, np.quantile(different, [0, 0.01, 0.1, 0.5])), strict=True))
    return threshold, (baseline, expected, "")


def _exponent(ratio: float) -> float:
    """Exponent m of distances whose second nearest over the nearest has this median, among ratios up to 1 / COPY.

    Of the ratios r, 1 - r^-m are smaller, and 1 - COPY^m of them count: half of these lie below the median.
    """
    low, high = 0.1, 200.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if ratio**-middle > (1 + COPY**middle) / 2 else (low, middle)
    return low


def _groups(pairs: np.ndarray, n: int) -> Int64[np.ndarray, " n"]:
    """Connected components of the pairs, numbered by their first image; −1 for images in no pair."""
    parent = list(range(n))

    def root(place: int) -> int:
        while parent[place] != place:
            parent[place] = parent[parent[place]]
            place = parent[place]
        return place

    for left, right in pairs.tolist():
        first, second = sorted((root(left), root(right)))
        parent[second] = first
    members: dict[int, list[int]] = defaultdict(list)
    for place in np.unique(pairs).tolist():
        members[root(place)].append(place)
    group = np.full(n, -1, np.int64)
    for number, places in enumerate(members.values()):
        group[places] = number
    return group
