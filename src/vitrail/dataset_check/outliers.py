"""Odd images: unlike all others or their class, blank, dark, blurred, tiny, of extreme shape, print or border."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from jaxtyping import Float, Float32, Int64
from scipy.special import ndtri

from vitrail.dataset_check.neighbours import nearest_neighbours
from vitrail.dataset_check.scan import Scan

Kind = Literal["unlike-all", "unlike-class", "blank", "dark", "blurred", "tiny", "extreme-shape", "print", "border"]

UNKNOWN = -1  # label of an image whose class is not known
NEIGHBOURS = 5
FALSE_ALARMS = 1.0  # expected number of ordinary images beyond the threshold, in the whole data
FEWEST = 20  # images without which nothing is unusual
COMMON = 0.1  # share of images from which a kind is how these data are, and no longer odd

BLANK = 2 / 255  # contrast below which nothing is to be seen
DARK = 0.1  # 99.9th percentile of the intensity: ten bits in a file of sixteen are below 0.016
TINY = 0.25  # short side, as a share of the median one
LONG, LONGER = 3.0, 2.5  # ratio of the sides, and how much more it is than the median one
PAPER, PRINT = 0.5, 0.05  # share of the most common intensity, and of edges as sharp as print
FRAME = 0.5  # share of the image that is uniform border
DRAWN = 32  # pixels of the short side below which strokes look like print, and the outermost pixels are no border


@dataclass(frozen=True)
class Outlier:
    """An odd image.

    Attributes:
        row: place of the image.
        kind: what is odd.
        score: how many times its threshold the image reaches, at least 1.
    """

    row: int
    kind: Kind
    score: float


@dataclass(frozen=True)
class Outliers:
    """Odd images among n.

    Attributes:
        outliers: the oddest first; an image is there once for each kind.
        distances: (n,), mean distance to the nearest neighbours that are no copies; NaN without features.
        threshold: of the distances; None: undefined.
        common: kinds that are not listed since a tenth of the images or more are of them, with their number.
        undefined: why there is no threshold; empty: there is one.
    """

    outliers: Sequence[Outlier]
    distances: Float[np.ndarray, " n"] = field(repr=False)
    threshold: float | None
    common: dict[str, int]
    undefined: str = ""

    def values(self) -> dict[str, Any]:
        """What the threshold comes from, as JSON values."""
        known = self.distances[np.isfinite(self.distances)]
        return {
            "threshold": self.threshold,
            "median_distance": float(np.median(known)) if len(known) else None,
            "expected_false_alarms": None if self.threshold is None else FALSE_ALARMS,
            "common": self.common,
            "undefined": self.undefined or None,
        }


def find_outliers(
    scan: Scan,
    features: Float32[np.ndarray, "n d"] | None,
    labels: Int64[np.ndarray, " n"] | None,
    group: Int64[np.ndarray, " n"],
) -> Outliers:
    """Images far from all others or from their class in feature space, and those whose properties are odd.

    The score in feature space is the mean distance to the five nearest neighbours (Angiulli and Pizzuti, 2002,
    https://doi.org/10.1007/3-540-45681-3_2; for deep features Sun et al., 2022, https://arxiv.org/abs/2204.06507). Its
    threshold lies where a normal distribution of the same median and 90th percentile has one image of all.

    Args:
        features: rows of unit length; None: properties alone.
        labels: indices of classes; −1: not known, and the image is compared with no class.
        group: number of the group of copies, which are no neighbours of each other; −1: none.
    """
    n = len(scan.rows)
    found, distances, threshold, undefined = [], np.full(n, np.nan), None, "there are no features"
    if features is not None:
        distances = _distances(features, group)
        threshold, undefined = upper_threshold(distances)
        beyond = np.zeros(n, bool) if threshold is None else distances > threshold
        found += [
            Outlier(row, "unlike-all", float(distances[row] / threshold)) for row in np.flatnonzero(beyond).tolist()
        ]
        found += [] if labels is None else _unlike_class(features, labels, group, beyond)
    common: dict[str, int] = {}
    for kind, scores in _by_property(scan):
        rows = np.flatnonzero(scores >= 1)
        if len(rows) > max(1, COMMON * n):
            common[kind] = len(rows)
        else:
            found += [Outlier(row, kind, float(scores[row])) for row in rows.tolist()]
    found.sort(key=lambda each: (-each.score, each.row, each.kind))
    return Outliers(tuple(found), distances, threshold, common, undefined)


def upper_threshold(values: Float[np.ndarray, " n"], false_alarms: float = FALSE_ALARMS) -> tuple[float | None, str]:
    """The value that `false_alarms` of n ordinary ones exceed, or None and why there is none; NaN is left out."""
    known = values[np.isfinite(values)]
    if len(known) < FEWEST:
        return None, f"only {len(known)} images have neighbours; a threshold needs {FEWEST}"
    middle, high = np.quantile(known, [0.5, 0.9])
    if not high > middle:
        return None, "half of the images and more are equally far from their neighbours"
    return float(middle + (high - middle) / ndtri(0.9) * ndtri(1 - false_alarms / len(known))), ""


def _distances(features: np.ndarray, group: np.ndarray) -> Float[np.ndarray, " n"]:
    """Mean distance to the nearest that are no copies; NaN where there are none."""
    similarities, places = nearest_neighbours(features, features, 2 * NEIGHBOURS, same=True)
    copies = (group[places] == group[:, None]) & (group[:, None] >= 0)
    distances = np.sqrt(np.maximum(2 - 2 * similarities.astype(np.float64), 0))
    distances[copies] = np.nan
    rank = np.cumsum(~copies, axis=1)
    distances[rank > NEIGHBOURS] = np.nan
    present = np.isfinite(distances)
    sums = np.where(present, distances, 0).sum(axis=1)
    return np.where(present.any(axis=1), sums / np.maximum(present.sum(axis=1), 1), np.nan)


def _unlike_class(features: np.ndarray, labels: np.ndarray, group: np.ndarray, beyond: np.ndarray) -> Iterator[Outlier]:
    """Images far from their own class, but for those far from all."""
    present = np.unique(labels[labels != UNKNOWN])
    for label in present:
        rows = np.flatnonzero(labels == label)
        distances = _distances(features[rows], group[rows])
        threshold, _ = upper_threshold(distances, FALSE_ALARMS / len(present))
        if threshold is None:
            continue
        for place in np.flatnonzero((distances > threshold) & ~beyond[rows]):
            yield Outlier(int(rows[place]), "unlike-class", float(distances[place] / threshold))


def _by_property(scan: Scan) -> Iterator[tuple[Kind, Float[np.ndarray, " n"]]]:
    """For each kind, how many times its threshold each image reaches."""
    if not len(scan.rows):
        return
    contrast, white, sharpness = (scan.column(name).astype(float) for name in ("contrast", "white point", "sharpness"))
    short = np.minimum(scan.column("width"), scan.column("height")).astype(float)
    long = np.maximum(scan.column("width"), scan.column("height")).astype(float)
    blank = (contrast < BLANK) & (white >= DARK) | (contrast == 0)
    yield "blank", np.where(blank, BLANK / np.maximum(contrast, BLANK / 10), 0)
    dark = (white < DARK) & (contrast > 0)
    yield "dark", np.where(dark, DARK / np.maximum(white, DARK / 100), 0)
    yield "blurred", _blurred(sharpness, contrast > 5 * BLANK)
    yield "tiny", TINY * np.median(short) / short
    ratio = long / short
    yield "extreme-shape", np.minimum(ratio / LONG, ratio / (LONGER * np.median(ratio)))
    drawn = short >= DRAWN
    yield "print", np.where(drawn, np.minimum(scan.column("paper") / PAPER, scan.column("print") / PRINT), 0)
    yield "border", np.where(blank | ~drawn, 0, scan.column("frame area") / FRAME)


def _blurred(sharpness: np.ndarray, visible: np.ndarray) -> Float[np.ndarray, " n"]:
    """Scores of images that are less sharp than ordinary ones ever are; 0 for those with nothing to see."""
    threshold, _ = upper_threshold(np.where(visible, -sharpness, np.nan))
    if threshold is None:
        return np.zeros(len(sharpness))
    return np.asarray(np.where(visible, 10.0 ** (-sharpness - threshold), 0))
