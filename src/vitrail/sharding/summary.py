"""The images that a result names: all of them, or the first ones of very many."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from vitrail.events import Note, skipped_notes
from vitrail.sharding.part import Part

SHOWN = 10  # skipped images that are named in notes


class ResultSummary:
    """The images that a result names: all, or the first ones of very many.

    Attributes:
        rows, skipped: of the images named.
        count, left_out: how many images could be read, and how many could not.
    """

    def __init__(self, limit: int | None) -> None:
        self._limit = limit
        self.rows: list[dict[str, Any]] = []
        self.skipped: list[dict[str, str]] = []
        self.count = self.left_out = 0

    def add(self, part: Part) -> None:
        """The images of one more part."""
        self.count += len(part.rows)
        self.left_out += len(part.skipped)
        room = slice(None if self._limit is None else max(0, self._limit - len(self.rows)))
        self.rows += map(dict, part.rows[room])
        room = slice(None if self._limit is None else max(0, self._limit - len(self.skipped)))
        self.skipped += map(dict, part.skipped[room])

    def notes(self) -> Iterator[Note]:
        """A note for each image that was left out; of very many only the first ones."""
        shown = self.skipped if self._limit is None else self.skipped[:SHOWN]
        yield from skipped_notes(shown)
        if self.left_out > len(shown):
            yield Note(f"Skipped: {self.left_out - len(shown)} more, listed in the shards.", "skipped")
