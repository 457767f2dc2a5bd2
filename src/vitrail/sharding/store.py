"""The shards of a run folder: which are finished, and what they hold."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Generator, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from vitrail.errors import BadRun
from vitrail.events import Event, Note, Progress
from vitrail.files import write_json
from vitrail.image_files import display_name
from vitrail.reading import read_json
from vitrail.sharding.part import Part, part_file, read_part, write_part
from vitrail.sharding.shard import MANIFEST, Shard, shards
from vitrail.sharding.work import Work


@dataclass(frozen=True)
class ShardStore:
    """The shards in a run folder.

    Raises:
        BadRun: the shards there are of other images, another task or other settings.
    """

    work: Work
    folder: Path
    count: int

    def __post_init__(self) -> None:
        file, wanted = self.folder / "shards" / MANIFEST, self._manifest
        if not file.exists():
            write_json(file, wanted, within=self.folder)
            return
        try:
            given = read_json(file, within=self.folder)
        except (OSError, ValueError):
            given = None
        if given != wanted:
            other = [key for key in wanted if not isinstance(given, dict) or given.get(key) != wanted[key]]
            raise BadRun(
                f"The shards in '{display_name(self.folder)}' were made with other {' and other '.join(other)}. "
                "Use another folder with --run, or the same images and settings."
            )

    @property
    def _manifest(self) -> dict[str, Any]:
        names = hashlib.sha256()
        for file in self.work.files:
            names.update(display_name(file).encode() + b"\n")
        images = {"count": len(self.work.files), "names_sha256": names.hexdigest()}
        return {"images": images, "settings": json.loads(json.dumps(self.work.depends_on))}

    def has(self, shard: Shard) -> bool:
        """Whether the shard is finished."""
        return part_file(self._stem(shard)) is not None

    def run(self, shard: Shard) -> Generator[Event, None, None]:
        """Processes a shard and keeps it, unless it is finished."""
        if self.has(shard):
            yield Note(f"Shard {shard.number} of {shard.count} is already finished.")
            return
        total = len(self.work.files)
        rows = shard.rows(total)
        part = yield from _with_total(self.work.process(rows), rows.start, total)
        about = {**part.about, "shard": f"{shard.number}/{shard.count}", "images": rows.stop - rows.start}
        write_part(replace(part, about=about), self._stem(shard), within=self.folder)

    def part(self, shard: Shard) -> Part:
        """The kept result of a shard.

        Raises:
            BadRun: its file is missing, or damaged.
        """
        file = part_file(self._stem(shard))
        if file is None:
            raise BadRun(
                f"Shard {shard.number} of {shard.count} is missing in '{display_name(self.folder)}'. "
                "Use the same command again to make it."
            )
        return read_part(file, within=self.folder)

    def parts(self) -> Iterator[Part]:
        """All of them, in order, one at a time in memory."""
        return map(self.part, shards(self.count))

    def _stem(self, shard: Shard) -> Path:
        return self.folder / "shards" / str(shard)


def _with_total(events: Generator[Event, None, Part], start: int, total: int) -> Generator[Event, None, Part]:
    """A shard's events, its progress counted among all images; returns its part."""
    while True:
        try:
            event = next(events)
        except StopIteration as end:
            part: Part = end.value
            return part
        if isinstance(event, Progress) and event.unit == "images":
            event = replace(event, done=start + event.done, total=total)
        yield event
