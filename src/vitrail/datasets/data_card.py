"""What was read of some data, and what was not: the line that every output has, and the values of `result.json`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from vitrail.files import AnyPath
from vitrail.formatting import count, display_name

SOURCES = 3  # paths named as the source
KINDS = 3  # kinds of left out files that the line names
PARTS = ("train", "val", "test", "held out")


@dataclass(frozen=True)
class DataCard:
    """What was read of some data, and what was not.

    Attributes:
        source: as it was given.
        parts: number of images in each part; "" of data without parts.
        classes: number of images in each class; none where no class is known.
        left_out: number of files that are not among these, by kind.
        notes: what was decided while it was read, a sentence each.
        copies: number of held-out images of which a copy, equal or near, is in an earlier part; None: not
            looked for.
    """

    source: str
    parts: Mapping[str, int]
    classes: Mapping[str, int] = field(default_factory=dict)
    left_out: Mapping[str, int] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    copies: int | None = None

    @property
    def images(self) -> int:
        """Number of images."""
        return sum(self.parts.values())

    def line(self) -> str:
        """Such as "3,024 images of 5 classes (train 2,419, test 605); left out 90: 88 .heic, 2 damaged"."""
        text = count(self.images, "image")
        text += f" of {count(len(self.classes), 'class', 'classes')}" if self.classes else ""
        parts = [f"{part} {self.parts[part]:,}" for part in PARTS if self.parts.get(part)]
        text += f" ({', '.join(parts)})" if parts else ""
        if self.left_out:
            total = f"{sum(self.left_out.values()):,}: " if len(self.left_out) > 1 else ""
            text += f"; left out {total}{_kinds(self.left_out)}"
        if len(set(self.classes.values())) > 1:
            name = min(self.classes, key=lambda name: (self.classes[name], name))
            text += f"; smallest class {self.classes[name]:,} ({display_name(name)})"
        text += f"; {count(self.copies, 'copy', 'copies')} across parts" if self.copies else ""
        return text

    def values(self) -> dict[str, Any]:
        """As `result.json` has it."""
        smallest = min(self.classes.items(), key=lambda each: (each[1], each[0]), default=None)
        return {
            "source": self.source,
            "images": self.images,
            "parts": {part: n for part, n in self.parts.items() if part},
            "classes": len(self.classes),
            "smallest_class": None if smallest is None else {"name": smallest[0], "images": smallest[1]},
            "left_out": dict(Counter(self.left_out).most_common()),
            "notes": list(self.notes),
            "copies_across_parts": self.copies,
        }


def image_card(paths: Sequence[AnyPath], images: int, left_out: Mapping[str, int], unreadable: int) -> DataCard:
    """The card of images without parts and classes, as paths name them."""
    source = ", ".join(map(display_name, paths[:SOURCES])) + (", ..." if len(paths) > SOURCES else "")
    return DataCard(source, {"": images}, left_out=with_unreadable(left_out, unreadable))


def with_unreadable(left_out: Mapping[str, int], unreadable: int) -> dict[str, int]:
    """What was left out, and beside it the images that could not be read."""
    return dict(Counter(left_out) + Counter({"unreadable": unreadable}))


def class_counts(labels: np.ndarray, classes: Sequence[str]) -> dict[str, int]:
    """Number of images in each class, of labels (n,) that are indices of `classes`."""
    return dict(zip(classes, np.bincount(labels, minlength=len(classes)).tolist(), strict=True))


def _kinds(left_out: Mapping[str, int]) -> str:
    ordered = Counter(left_out).most_common()
    shown = [f"{n:,} {kind}" for kind, n in ordered[: KINDS if len(ordered) > KINDS + 1 else len(ordered)]]
    others = sum(n for _, n in ordered[len(shown) :])
    return ", ".join([*shown, *([f"{others:,} others"] if others else [])])
