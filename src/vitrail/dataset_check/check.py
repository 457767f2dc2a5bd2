"""All checks of a data set, in one pass over the files and one over their features."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Bool, Float32

from vitrail.dataset_check.class_balance import ClassBalance, SimilarClasses, class_balance, similar_classes
from vitrail.dataset_check.copy_groups import duplicate_groups, find_leaks
from vitrail.dataset_check.duplicates import find_copies
from vitrail.dataset_check.label_issues import LabelIssues, find_label_issues
from vitrail.dataset_check.learning_curve import LearningCurve, learning_curve
from vitrail.dataset_check.outliers import UNKNOWN, find_outliers
from vitrail.dataset_check.result import DatasetCheck
from vitrail.dataset_check.ridge import leave_out
from vitrail.dataset_check.scan import Scan, scan_images
from vitrail.dataset_check.shortcuts import FEWEST, Shortcut, find_shortcuts, measure_shortcuts
from vitrail.errors import BadSetting
from vitrail.events import Note, Progress
from vitrail.image_files import display_name
from vitrail.transfer.scaling import ROWS, scale
from vitrail.validation import check_seed, describe

if TYPE_CHECKING:
    from vitrail.transfer.features import Extractor

Work = Generator[Progress | Note, None, DatasetCheck]


def check_dataset(
    files: Sequence[Path],
    labels: np.ndarray | None = None,
    classes: Sequence[str] = (),
    parts: Sequence[str] = (),
    *,
    extractor: Extractor | None = None,
    features: np.ndarray | None = None,
    seed: int = 0,
) -> Work:
    """Duplicates, leaks, wrong labels, odd images, shortcuts, imbalance and the learning curve of a data set.

    Yields progress and returns the result: `result = yield from check_dataset(files, labels, classes)`. Equal data and
    an equal seed give an equal result. What cannot be known is undefined, with the reason, and never an error.

    Args:
        files: n image files; those that cannot be read are left out and named in `skipped`.
        labels: (n,) integers, indices of `classes`; −1: the class of an image is not known. Copies, leaks and odd
            images are looked for among all images, the rest among those of known class. None, or no class known:
            nothing that needs labels is checked.
        parts: "train", "val", "test" or "" for each file; empty: the data are not divided.
        extractor: of the features, e.g. all layers of a network; they come from its cache where they are there.
        features: (n, d), instead of an extractor, a row for each file; those that are not finite are left out.
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
        del extraction  # a second copy of the features, for the rest of the check
    elif features is not None and len(rows):
        given = np.asarray(features, np.float32)
        finite = _finite_rows(given)[rows]
        skipped += [_not_finite(files[row]) for row in rows[~finite]]
        if finite.any():
            rows = rows[finite]
            scaled = _scaled({"features": given if len(rows) == len(given) else given[rows]})
        del given
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
    if known is not None and len(known) and (known == UNKNOWN).all():
        known = None
    readable = [files[row] for row in scan.rows]
    copies = yield from find_copies(scan.thumbnails, scan.pixel_digests, features)
    groups = duplicate_groups(copies, readable, scan)
    leaks = find_leaks(copies, readable, [parts[row] for row in scan.rows] if parts else [], scan)
    yield Progress("outliers", 0, 1, "passes")
    outliers = find_outliers(scan, features, known, copies.group)
    yield Progress("outliers", 1, 1, "passes")
    about = yield from _check_labels(known, len(classes), scan, features, copies.group, seed)
    undefined = {
        "duplicates": copies.undefined,
        "label_errors": about.issues.undefined,
        "outliers": outliers.undefined,
        "learning_curve": about.curve.undefined,
        "accuracy": about.why_no_accuracy,
        "shortcuts": "" if about.shortcuts else "there are no labels" if known is None else _too_small(),
        "leaks": "" if any(parts) else "the data are not divided into parts",
    }
    return DatasetCheck(
        readable, classes, groups, leaks, copies, about.issues, outliers, find_shortcuts(about.shortcuts),
        about.shortcuts, about.curve, about.balance, about.similar, about.accuracy, about.chance,
        skipped, {name: why for name, why in undefined.items() if why},
    )  # fmt: skip


@dataclass(frozen=True)
class _AboutLabels:
    """What needs labels, as `DatasetCheck` has it."""

    issues: LabelIssues
    curve: LearningCurve
    accuracy: float | None = None
    why_no_accuracy: str = ""
    similar: Sequence[SimilarClasses] = ()
    shortcuts: Sequence[Shortcut] = ()
    balance: ClassBalance | None = None
    chance: float | None = None


def _check_labels(
    known: np.ndarray | None, classes: int, scan: Scan, features: np.ndarray | None, group: np.ndarray, seed: int
) -> Generator[Progress, None, _AboutLabels]:
    """Looks at the images of known label alone; the rows of its findings are places among all images."""
    if known is None:
        return _without_classifier("there are no labels" if len(scan.rows) else "no image can be read")
    balance = class_balance(known[known != UNKNOWN], classes)
    if not len(known):
        return replace(_without_classifier("no image can be read"), balance=balance)
    rows = np.flatnonzero(known != UNKNOWN)
    if len(rows) < len(known):
        known, scan, group = known[rows], scan.select(scan.rows[rows]), group[rows]
        features = None if features is None else features[rows]
    shortcuts = measure_shortcuts(scan, known, classes)
    found = yield from _fit_classifier(known, classes, features, group, seed)
    issues = replace(found.issues, issues=tuple(replace(each, row=int(rows[each.row])) for each in found.issues.issues))
    chance = float(np.bincount(known).max() / len(known))
    return replace(found, issues=issues, shortcuts=shortcuts, balance=balance, chance=chance)


def _fit_classifier(
    labels: np.ndarray, classes: int, features: np.ndarray | None, group: np.ndarray, seed: int
) -> Generator[Progress, None, _AboutLabels]:
    if features is None:
        return _without_classifier("there are no features")
    if (np.bincount(labels) > 1).sum() < 2:
        return _without_classifier("fewer than two classes have two images")
    left_out = leave_out(features, labels, classes, group, seed=seed)
    accuracy = left_out.accuracy(labels)
    curve = yield from learning_curve(
        features, labels, classes, group, ridge=left_out.ridge, accuracy=accuracy, seed=seed
    )
    issues = find_label_issues(left_out.probabilities, labels)
    return _AboutLabels(issues, curve, accuracy, similar=similar_classes(features, labels, classes))


def _without_classifier(reason: str) -> _AboutLabels:
    return _AboutLabels(LabelIssues((), None, None, reason), LearningCurve((), None, reason), why_no_accuracy=reason)


def _scaled(blocks: Mapping[str, np.ndarray]) -> Float32[np.ndarray, "n d"]:
    """Rows of unit length, each layer with an equal share."""
    scaled = scale(list(blocks.values()), "square-root")
    scaled /= np.float32(np.sqrt(len(blocks)))
    return np.asarray(scaled)


def _finite_rows(features: np.ndarray) -> Bool[np.ndarray, " n"]:
    blocks = [features[start : start + ROWS] for start in range(0, len(features), ROWS)]
    return np.concatenate([np.isfinite(block).all(axis=1) for block in blocks])


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
        if not fits or (n and not UNKNOWN <= np.min(labels) <= np.max(labels) < len(classes)):
            wanted = f"indices of {len(classes)} classes, or {UNKNOWN} where the class is not known"
            raise BadSetting(f"labels must be ({n},), {wanted}; got {describe(labels)}.")
    if len(parts) not in (0, n):
        raise BadSetting(f"parts must be empty, or one for each of {n} files; got {len(parts)}.")
    if features is not None and (np.ndim(features) != 2 or len(features) != n):
        raise BadSetting(f"features must be ({n}, d), a row for each file; got {describe(features)}.")
