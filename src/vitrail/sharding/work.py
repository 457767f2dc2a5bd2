"""What a task must offer so that its images can be done in shards."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from vitrail.events import Event
from vitrail.sharding.part import Part


class Work(Protocol):
    """Everything is opened; any slice of the images can be processed."""

    @property
    def files(self) -> Sequence[Path]:
        """All images, in an order that does not depend on the machine."""

    @property
    def depends_on(self) -> Mapping[str, Any]:
        """What the results depend on besides the images, as JSON values: weights, settings."""

    def process(self, rows: slice) -> Generator[Event, None, Part]:
        """Processes some of the images; one that cannot be read is skipped, and all of them may be."""

    def merge(self, parts: Iterable[Part], limit: int | None = None) -> Iterator[Event]:
        """Tables, plots and the `Result`, from all parts in their order.

        Args:
            limit: how many images the result names; None: all.
        """
