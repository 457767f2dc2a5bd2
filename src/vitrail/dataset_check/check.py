"""All checks of a data set, in one pass over the files and one over their features."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float32, Int64

from vitrail.dataset_check.class_balance import class_balance, similar_classes
from vitrail.dataset_check.copy_groups import duplicate_groups, find_leaks
from vitrail.dataset_check.duplicates import find_copies
from vitrail.dataset_check.label_issues import LabelIssues, find_label_issues
from vitrail.dataset_check.learning_curve import LearningCurve, learning_curve
from vitrail.dataset_check.outliers import find_outliers
from vitrail.dataset_check.result import DatasetCheck
from vitrail.dataset_check.ridge import leave_out
from vitrail.dataset_check.scan import Scan, scan_images
from vitrail.dataset_check.shortcuts import FEWEST, find_shortcuts, measure_shortcuts
from vitrail.errors import BadSetting
from vitrail.events import Note, Progress
from vitrail.image_files import display_name
from vitrail.transfer.scaling import scale
from vitrail.validation import check_seed, describe

if TYPE_CHECKING:
    from vitrail.transfer.features import Extractor

Work = Generator[Progress | Note, None, DatasetCheck]


def check_dataset(
    files: Sequence[Path],
    labels: Int64[np.ndarray, " n"] | None = None,
    classes: Sequence[str] = (),
    parts: Sequence[str] = (),
    *,
    extractor: Extractor | None = None,
    features: Float32[np.ndarray, "n d"] | None = None,
    seed: int = 0,
) -> Work:
    """Duplicates, leaks, wrong labels, odd images, shortcuts, imbalance and the learning curve of a data set.

    Yields progress and returns the result: `result = yield from check_dataset(files, labels, classes)`. Equal data and
    an equal seed give an equal result. What cannot be known is undefined, with the reason, and never an error.

    Args:
        files: n image files; those that cannot be read are left out and named in `skipped`.
        labels: indices of `classes`; None: nothing that needs labels is checked.
        parts: "train", "val", "test" or "" for each file; empty: the data are not divided.
        extractor: of the features, e.g. all layers of a network; they come from its cache where they are there.
        features: instead of an extractor, a row for each file; those that are not finite are left out.
        seed: of the sample of large data, the learning curve's parts and the intervals.

    Raises:
        BadSetting: labels, parts or features that do not fit the files.
        UnknownName, MissingWeights, BadWeights: of the extractor.
    """
    check_seed("seed", seed)
    _check(files, labels, classes, parts, features)
    scan = yield from scan_images(files)
    rows, scaled, skipped = scan.rows, None, list(scan.skipped)
    if extractor is not None and len(rows):
        extraction = yield from extractor.run([files[row] for row in rows])
        named = {skip["file"] for skip in skipped}
        skipped += [skip for skip in extraction.skipped if skip["file"] not in named]
        if len(extraction.rows):
            rows, scaled = rows[extraction.rows], _scaled(extraction.features)
    elif features is not None and len(rows):
        given = np.asarray(features[rows], np.float32)
        finite = np.isfinite(given).all(axis=1)
        skipped += [_not_finite(files[row]) for row in rows[~finite]]
        if finite.any():
            rows, scaled = rows[finite], _scaled({"features": given[finite]})
    return (yield from _check_rows(files, labels, classes, parts, scan.select(rows), scaled, skipped, seed))


def _check_rows(
    files: Sequence[Path],
    labels: np.ndarray | None,
    classes: Sequence[str],
    parts: Sequence[str],
    scan: Scan,
    features: np.ndarray | None,
    skipped: Sequence[Mapping[str, str]],
    seed: int,
) -> Work:
    known = None if labels is None else np.asarray(labels, np.int64)[scan.rows]
    readable = [files[row] for row in scan.rows]
    copies = yield from find_copies(scan.thumbnails, scan.pixel_digests, features)
    groups = duplicate_groups(copies, readable, scan)
    leaks = find_leaks(copies, readable, [parts[row] for row in scan.rows] if parts else [], scan)
    yield Progress("outliers", 0, 1, "passes")
    outliers = find_outliers(scan, features, known, copies.group)
    yield Progress("outliers", 1, 1, "passes")

    reason = "there are no labels" if known is None else "there are no features" if features is None else ""
    reason = reason if len(readable) else "no image can be read"
    issues, curve, accuracy, similar = LabelIssues((), None, None, reason), LearningCurve((), None, reason), None, []
    if known is not None and features is not None and not reason:
        if (np.bincount(known) > 1).sum() > 1:
            left_out = leave_out(features, known, len(classes), copies.group, seed=seed)
            accuracy = left_out.accuracy(known)
            issues = find_label_issues(left_out.probabilities, known)
            curve = yield from learning_curve(
                features, known, len(classes), copies.group, ridge=left_out.ridge, accuracy=accuracy, seed=seed
            )
            similar = similar_classes(features, known, len(classes))
        else:
            reason = "fewer than two classes have two images"
            issues, curve = LabelIssues((), None, None, reason), LearningCurve((), None, reason)
    labelled = known is not None and len(readable) > 0
    measured = measure_shortcuts(scan, known, len(classes)) if labelled else []  # type: ignore[arg-type]
    undefined = {
        "duplicates": copies.undefined,
        "label_errors": issues.undefined,
        "outliers": outliers.undefined,
        "learning_curve": curve.undefined,
        "accuracy": "" if accuracy is not None else reason,
        "shortcuts": "" if measured else "there are no labels" if known is None else _too_small(),
        "leaks": "" if any(parts) else "the data are not divided into parts",
    }
    return DatasetCheck(
        readable, classes, groups, leaks, copies, issues, outliers, find_shortcuts(measured), measured, curve,
        None if known is None else class_balance(known, len(classes)), similar, accuracy,
        float(np.bincount(known).max() / len(known)) if labelled else None,  # type: ignore[arg-type]
        skipped, {name: why for name, why in undefined.items() if why},
    )  # fmt: skip


def _scaled(blocks: Mapping[str, np.ndarray]) -> Float32[np.ndarray, "n d"]:
    """Rows of unit length, each layer with an equal share."""
    return np.asarray(scale(list(blocks.values()), "square-root") / np.float32(np.sqrt(len(blocks))))


def _too_small() -> str:
    return f"fewer than two classes have {FEWEST} images"


def _not_finite(file: Path) -> dict[str, str]:
    return {
        "file": display_name(file),
        "kind": "features",
        "reason": f"The features of '{display_name(file)}' are not finite. Use other weights.",
    }


def _check(
    files: Sequence[Path],
    labels: np.ndarray | None,
    classes: Sequence[str],
    parts: Sequence[str],
    features: np.ndarray | None,
) -> None:
    n = len(files)
    if labels is not None:
        fits = np.shape(labels) == (n,) and np.issubdtype(np.asarray(labels).dtype, np.integer)
        if not fits or (n and not 0 <= np.min(labels) <= np.max(labels) < len(classes)):
            raise BadSetting(f"labels must be ({n},), indices of {len(classes)} classes; got {describe(labels)}.")
    if len(parts) not in (0, n):
        raise BadSetting(f"parts must be empty, or one for each of {n} files; got {len(parts)}.")
    if features is not None and (np.ndim(features) != 2 or len(features) != n):
        raise BadSetting(f"features must be ({n}, d), a row for each file; got {describe(features)}.")
