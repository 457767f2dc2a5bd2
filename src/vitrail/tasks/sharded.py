"""What tasks share that can be cut into shards: settings, and the choice between one run and many."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Protocol, Self

from pydantic import model_validator

from vitrail.errors import BadSetting
from vitrail.events import Event
from vitrail.runs import new_folder
from vitrail.settings import Task, setting
from vitrail.sharding.shard import MOST, Shard

if TYPE_CHECKING:
    from vitrail.sharding.part import Part


class Work(Protocol):
    """A task that has opened what it needs, and can do any of its pictures."""

    @property
    def files(self) -> Sequence[Path]:
        """All pictures, in an order that does not depend on the machine."""

    @property
    def depends_on(self) -> Mapping[str, Any]:
        """What its parts are determined by beside the pictures, as JSON values: weights, settings."""

    def part(self, rows: slice) -> Generator[Event, None, Part]:
        """Does some of the pictures; one that cannot be read is skipped, and all of them may be."""

    def whole(self, parts: Iterable[Part], most: int | None = None) -> Iterator[Event]:
        """Tables, figures and the `Result`, from all parts in their order.

        Args:
            most: how many pictures the result names; None: all.
        """


class Sharded(Task):
    """A task whose pictures can be done in shards: here, one by one under any scheduler, or on a cluster."""

    shown_last: ClassVar[frozenset[str]] = frozenset({"shards", "shard", "engine", "workers"})

    shards: int | None = setting(
        None,
        "Cut the pictures into so many shards, a file each; again with the same --run, it goes on",
        ge=1,
        le=MOST,
    )
    shard: str | None = setting(None, "Do one shard only, as 3/64, for any scheduler; --shards 64 then joins them")
    engine: Literal["local", "ray"] = setting(
        "local", "Who does the shards: processes of this machine, or Ray, here or on a cluster"
    )
    workers: int | None = setting(None, "How many do shards at the same time; else one a processor, 8 at most", ge=1)

    @property
    def cut(self) -> bool:
        """Whether the pictures are done in shards."""
        return self.shards is not None or self.shard is not None or self.engine == "ray"

    @property
    def goes_on(self) -> bool:
        """Finished shards are not made again."""
        return self.cut

    def own_folder(self, folder: Path) -> Path:
        """One shard of many logs beside the shards; so many processes share a run folder."""
        return folder if self.shard is None else folder / "logs" / str(Shard.parse(self.shard))

    def run(self) -> Iterator[Event]:
        """Yields what happens; the last event is the `Result`. In shards: as `run_in`, in a new folder below `runs`."""
        yield from self.run_in(new_folder(Path("runs"), type(self).__name__.lower())) if self.cut else self.at_once()

    def run_in(self, folder: Path) -> Iterator[Event]:
        """As `run`; shards are kept in `folder`, and those that are there are not made again."""
        from vitrail.tasks.sharded_run import run  # noqa: PLC0415  (`--help` reads this module: nothing heavy)

        yield from run(self, folder) if self.cut else self.at_once()

    def at_once(self) -> Iterator[Event]:
        """All pictures as one part that is kept nowhere."""
        work = self.opened()
        part = yield from work.part(slice(None))
        yield from work.whole([part])

    def opened(self) -> Work:
        """What does the task's pictures."""
        raise NotImplementedError

    @model_validator(mode="after")
    def _one_number_of_shards(self) -> Self:
        if self.shard is not None and self.shards not in (None, Shard.parse(self.shard).count):
            raise BadSetting(f"--shard {self.shard} is not one of --shards {self.shards}; leave --shards out.")
        if self.shard is not None and self.engine == "ray":
            raise BadSetting("--shard does one shard here; --engine ray does them all; leave one of the two out.")
        return self
