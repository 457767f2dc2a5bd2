"""Base of the tasks that can run in shards: the common settings, and the choice between one run and several."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal, Self

from pydantic import model_validator

from vitrail.errors import BadSetting
from vitrail.events import Event
from vitrail.run_writer import new_folder
from vitrail.settings import RUNNING, setting
from vitrail.sharding.shard import MOST, Shard, holds_shards
from vitrail.task import Task

if TYPE_CHECKING:
    from vitrail.sharding.work import Work


class Sharded(Task):
    """A task whose images can be processed in shards: on this machine, by any scheduler, or on a Ray cluster."""

    help_last: ClassVar[frozenset[str]] = frozenset({"shards", "shard", "engine", "workers"})

    shards: int | None = setting(
        None, "Number of shards, a file each; rerun with the same --run to resume", panel=RUNNING, ge=1, le=MOST
    )
    shard: str | None = setting(
        None, "One shard only, e.g. 3/64, for any scheduler; merge with --shards 64", panel=RUNNING
    )
    engine: Literal["local", "ray"] = setting(
        "local", "Execution backend of shards: processes of this machine, or Ray", panel=RUNNING
    )
    workers: int | None = setting(
        None, "Number of worker processes of shards; default: CPU count, at most 8", panel=RUNNING, ge=1
    )

    @property
    def is_sharded(self) -> bool:
        """Whether the images are processed in shards."""
        return self.shards is not None or self.shard is not None or self.engine == "ray"

    def resumes(self, folder: Path, *, same_task: bool | None) -> bool:
        """Finished shards of an earlier run are not computed again."""
        return self.is_sharded and (holds_shards(folder) if same_task is None else same_task)

    def log_folder(self, folder: Path) -> Path:
        """A single shard has a log folder of its own, as several processes share the run folder."""
        return folder if self.shard is None else folder / "logs" / str(Shard.parse(self.shard))

    def run(self) -> Iterator[Event]:
        """Yields events; the last is the `Result`. In shards: as `run_in`, in a new folder below `runs`."""
        name = type(self).__name__.lower()
        yield from self.run_in(new_folder(Path("runs"), name)) if self.is_sharded else self.run_unsharded()

    def run_in(self, folder: Path) -> Iterator[Event]:
        """As `run`; shards are stored in `folder`, and those that it holds are not computed again."""
        if not self.is_sharded:
            yield from self.run_unsharded()
            return
        from vitrail.sharding.runner import run_shards, run_single_shard

        if self.shard is not None:
            yield from run_single_shard(self.prepare(), folder, Shard.parse(self.shard))
            return
        yield from run_shards(
            self.prepare(),
            folder,
            count=self.shards,
            engine=self.engine,
            workers=self.workers,
            reopen=f"{type(self).__module__}:{type(self).__qualname__}",
            settings=self.model_dump(mode="json"),
        )

    def run_unsharded(self) -> Iterator[Event]:
        """All images as one part, which is not stored."""
        work = self.prepare()
        part = yield from work.process(slice(None))
        yield from work.merge([part])

    def prepare(self) -> Work:
        """Opens networks and images, and gives the work on them."""
        raise NotImplementedError

    @model_validator(mode="after")
    def _one_number_of_shards(self) -> Self:
        if self.shard is not None and self.shards not in (None, Shard.parse(self.shard).count):
            raise BadSetting(f"--shard {self.shard} is not one of --shards {self.shards}. Use --shard alone.")
        if self.shard is not None and self.engine == "ray":
            raise BadSetting("--shard computes one shard, --engine ray computes all. Use one of the two.")
        return self
