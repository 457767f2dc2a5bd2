"""The shards of a run: which are there already, who does the others, and what all of them say together."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vitrail.errors import BadRun
from vitrail.events import Event, Note, Progress, Result
from vitrail.files import read_json, write_json
from vitrail.image_files import display_name
from vitrail.sharding.part import Part, part_file, read_part, write_part
from vitrail.sharding.shard import MOST, Shard, shards
from vitrail.tasks.sharded_workers import how_many, in_processes, one_thread

if TYPE_CHECKING:
    from vitrail.tasks.sharded import Sharded, Work

USUAL = 1000  # pictures of a shard, where nobody says how many shards there are
LISTED = 10_000  # pictures that result.json names: all are in the shards' files
SHOWN = 10  # skipped ones, as sentences


def run(task: Sharded, folder: Path) -> Iterator[Event]:
    """One shard, or all that are missing and then the whole."""
    started = time.perf_counter()
    work = task.opened()
    if task.shard is not None:
        yield from _alone(task, work, folder)
        return
    kept = Kept(work, folder, task.shards or min(MOST, -(-len(work.files) // USUAL)))
    todo = [shard for shard in shards(kept.count) if not kept.has(shard)]
    if len(todo) < kept.count:
        yield Note(f"{kept.count - len(todo)} of {kept.count} shards were finished before.")
    yield from _done(task, kept, todo, folder)
    cut = {"count": kept.count, "made_now": len(todo), "folder": "shards", "engine": task.engine}
    for event in work.whole(kept.parts(), LISTED):
        if isinstance(event, Result):
            seconds = {**event.figures["seconds"], "total": time.perf_counter() - started}
            event = Result({**event.figures, "shards": cut, "seconds": seconds})
        yield event


def _alone(task: Sharded, work: Work, folder: Path) -> Iterator[Event]:
    """The shard that was asked for."""
    started = time.perf_counter()
    shard = Shard.parse(str(task.shard))
    kept = Kept(work, folder, shard.count)
    with one_thread():
        yield from kept.make(shard)
    part = kept.part(shard)
    yield Result(
        {
            "shard": task.shard,
            "backbone": work.depends_on["backbone"],
            "device": part.about["device"],
            "skipped": list(part.skipped),
            "n": len(part.rows),
            "seconds": {"total": time.perf_counter() - started},
        }
    )


def _done(task: Sharded, kept: Kept, todo: Sequence[Shard], folder: Path) -> Iterator[Event]:
    if task.engine == "ray":
        from vitrail.tasks.sharded_ray import on_ray  # noqa: PLC0415  (an extra)

        yield from on_ray(task, todo, folder)
    elif how_many(task, todo) > 1:
        yield from in_processes(task, todo, folder)
    else:
        with one_thread():
            for shard in todo:
                yield from kept.make(shard)


@dataclass(frozen=True)
class Kept:
    """The shards in the run folder `home`.

    Raises:
        BadRun: those that are there are of other pictures, of another task or of other settings.
    """

    work: Work
    home: Path
    count: int

    def __post_init__(self) -> None:
        place, wanted = self.home / "shards" / "of.json", self._of
        if not place.exists():
            write_json(place, wanted)
            return
        try:
            given = read_json(place)
        except (OSError, ValueError):
            given = None
        if given != wanted:
            other = [key for key in wanted if not isinstance(given, dict) or given.get(key) != wanted[key]]
            raise BadRun(
                f"The shards in '{display_name(self.home)}' are of other {' and other '.join(other)}; choose another "
                "folder with --run, or ask for what they are of."
            )

    @property
    def _of(self) -> dict[str, Any]:
        names = hashlib.sha256()
        for file in self.work.files:
            names.update(display_name(file).encode() + b"\n")
        pictures = {"count": len(self.work.files), "names_sha256": names.hexdigest()}
        return {"pictures": pictures, "settings": json.loads(json.dumps(self.work.depends_on))}

    def has(self, shard: Shard) -> bool:
        """Whether it is finished."""
        return part_file(self._stem(shard)) is not None

    def make(self, shard: Shard) -> Generator[Event, None, None]:
        """Does a shard and keeps it, unless it is finished."""
        if self.has(shard):
            yield Note(f"Shard {shard.number} of {shard.count} was finished before.")
            return
        total = len(self.work.files)
        rows = shard.rows(total)
        part = yield from _placed(self.work.part(rows), rows.start, total)
        about = {**part.about, "shard": f"{shard.number}/{shard.count}", "pictures": rows.stop - rows.start}
        write_part(replace(part, about=about), self._stem(shard))

    def part(self, shard: Shard) -> Part:
        """What is kept of a shard.

        Raises:
            BadRun: its file is gone, or damaged.
        """
        file = part_file(self._stem(shard))
        if file is None:
            raise BadRun(f"Shard {shard.number} of {shard.count} is gone from '{display_name(self.home)}'; run again.")
        return read_part(file)

    def parts(self) -> Iterator[Part]:
        """All of them, in order, one at a time in memory."""
        return map(self.part, shards(self.count))

    def _stem(self, shard: Shard) -> Path:
        return self.home / "shards" / str(shard)


def _placed(events: Generator[Event, None, Part], start: int, total: int) -> Generator[Event, None, Part]:
    """A shard's events, its progress counted among all pictures; returns its part."""
    while True:
        try:
            event = next(events)
        except StopIteration as end:
            part: Part = end.value
            return part
        if isinstance(event, Progress) and event.unit == "pictures":
            event = replace(event, done=start + event.done, total=total)
        yield event


class Named:
    """The pictures that a result names: all, or the first ones of very many.

    Attributes:
        rows, skipped: of the pictures named.
        count, left_out: how many pictures could be read, and how many could not.
    """

    def __init__(self, most: int | None) -> None:
        self._most = most
        self.rows: list[dict[str, Any]] = []
        self.skipped: list[dict[str, str]] = []
        self.count = self.left_out = 0

    def add(self, part: Part) -> None:
        """The pictures of one more part."""
        self.count += len(part.rows)
        self.left_out += len(part.skipped)
        room = slice(None if self._most is None else max(0, self._most - len(self.rows)))
        self.rows += map(dict, part.rows[room])
        room = slice(None if self._most is None else max(0, self._most - len(self.skipped)))
        self.skipped += map(dict, part.skipped[room])

    def notes(self) -> Iterator[str]:
        """What was left out, in sentences."""
        shown = self.skipped if self._most is None else self.skipped[:SHOWN]
        yield from (f"Skipped: {skip['reason']}" for skip in shown)
        if self.left_out > len(shown):
            yield f"Skipped: {self.left_out - len(shown)} more, which the shards name."
