"""Images that a person should look at before learning from them, in one list that `transfer --leave-out` takes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from vitrail.dataset_check.copy_groups import ORDER
from vitrail.dataset_check.result import DatasetCheck, DuplicateGroup
from vitrail.image_files import display_name


@dataclass(frozen=True)
class Suspect:
    """An image to look at.

    Attributes:
        kind: "leak" (a copy of an image of a later part), "duplicate", "label", or the kind of an odd image.
        score: as in the finding; comparable within a kind only.
        suggestion: what it is a copy of, or the class that it looks like; empty: none.
    """

    file: Path
    kind: str
    score: float
    suggestion: str = ""


def list_suspects(check: DatasetCheck, parts: Mapping[Path, str]) -> list[Suspect]:
    """Leaks, duplicates, wrong labels (as many as are expected) and odd images, in this order, each kind best first.

    Of each group of copies one image is no suspect: the first one of the part that comes last, so that a test set stays
    whole and the training set loses the copies.

    Args:
        parts: "train", "val", "test" or "" of each file.
    """
    copies = [suspect for group in check.duplicates for suspect in _copies(group, parts)]
    wrong = [
        Suspect(check.files[issue.row], "label", issue.score, check.classes[issue.suggested])
        for issue in check.label_issues.issues[: round(check.label_issues.expected or 0)]
    ]
    odd = [Suspect(check.files[each.row], each.kind, each.score) for each in check.outliers.outliers]
    return [*sorted(copies, key=lambda suspect: suspect.kind != "leak"), *wrong, *odd]


def _copies(group: DuplicateGroup, parts: Mapping[Path, str]) -> Iterator[Suspect]:
    place = [ORDER.get(parts.get(file, ""), 1) for file in group.files]
    stays = place.index(max(place))
    for file, own in zip(group.files, place, strict=True):
        if file != group.files[stays]:
            kind = "leak" if own < place[stays] else "duplicate"
            yield Suspect(file, kind, group.score, f"copy of {display_name(group.files[stays])}")
