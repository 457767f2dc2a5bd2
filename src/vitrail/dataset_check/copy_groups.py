"""Groups of duplicate files, and leaks between the parts of the data."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from vitrail.dataset_check.alignment import aligned_distances, coarse_distances
from vitrail.dataset_check.duplicates import Copies
from vitrail.dataset_check.result import DuplicateGroup, Leak
from vitrail.dataset_check.scan import Scan

ORDER = {"train": 0, "": 1, "val": 2, "test": 3}  # of parts: what is held out later comes later
MOST = 64  # earlier files of a group that a held-out one is compared with


def duplicate_groups(copies: Copies, files: Sequence[Path], scan: Scan) -> list[DuplicateGroup]:
    """A group for each image that is there more than once, the most similar first."""
    least = np.ones(copies.group.max(initial=-1) + 1)
    scores = 1 - copies.distances.astype(np.float64) ** 2
    np.minimum.at(least, copies.group[copies.pairs[:, 0]], scores)
    found = []
    for number, rows in enumerate(_members(copies.group)):
        files_equal, pixels_equal = (
            len({digests[row] for row in rows}) == 1 for digests in (scan.file_digests, scan.pixel_digests)
        )
        kind = "file" if files_equal else "pixels" if pixels_equal else "near"
        found.append(DuplicateGroup(tuple(files[row] for row in rows), kind, float(least[number])))
    rank = {"file": 0, "pixels": 1, "near": 2}
    return sorted(found, key=lambda group: (rank[group.kind], -group.score))


def find_leaks(copies: Copies, files: Sequence[Path], parts: Sequence[str], scan: Scan) -> list[Leak]:
    """For each file of a later part that has a copy in an earlier one, the nearest such copy; the most similar first.

    Args:
        parts: of each file, "train", "val" or "test"; others are in no part.
    """
    if not parts:
        return []
    order = np.array([ORDER.get(part, 1) for part in parts])
    inside = np.array([part in ("train", "val", "test") for part in parts])
    left, right = [], []
    for rows in _members(copies.group):
        for row in rows:
            earlier = [other for other in rows if inside[other] and inside[row] and order[other] < order[row]]
            left += earlier[:MOST]
            right += [row] * len(earlier[:MOST])
    if not left:
        return []
    first, second = np.array(left), np.array(right)
    distances, start = coarse_distances(scan.thumbnails, first, second)
    distances = np.minimum(distances, aligned_distances(scan.thumbnails, first, second, start)[0])
    equal = [scan.pixel_digests[a] == scan.pixel_digests[b] for a, b in zip(left, right, strict=True)]
    scores = np.where(equal, 1.0, 1 - distances.astype(np.float64) ** 2)
    best: dict[int, int] = {}
    for place in np.lexsort((first, -scores)).tolist():
        best.setdefault(right[place], place)
    leaks = [
        Leak(files[left[place]], files[row], (parts[left[place]], parts[row]), float(scores[place]))
        for row, place in best.items()
    ]
    return sorted(leaks, key=lambda leak: -leak.score)


def _members(group: np.ndarray) -> list[list[int]]:
    """The rows of each group, by its number."""
    rows = np.flatnonzero(group >= 0)
    members: list[list[int]] = [[] for _ in range(group.max(initial=-1) + 1)]
    for row in rows.tolist():
        members[group[row]].append(row)
    return members
