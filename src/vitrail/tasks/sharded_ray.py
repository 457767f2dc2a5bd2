"""Shards by the workers of Ray Data (https://docs.ray.io/en/latest/data/data.html), on this machine or a cluster.

Ray decides who does what where, and tries again when a worker dies. What is finished is ours: a shard's file is there
whole or not at all, so that a driver that is started again does the others only.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vitrail import errors
from vitrail.errors import MissingExtra, VitrailError
from vitrail.events import Event, Progress
from vitrail.sharding.shard import Shard

if TYPE_CHECKING:
    from vitrail.tasks.sharded import Sharded


class Worker:
    """What an actor holds: the task, opened by itself from paths, so that nothing large is sent to it.

    Args:
        settings: the task's name and settings as JSON, the run folder, and the folder that paths are relative to.
    """

    def __init__(self, settings: str) -> None:
        self._said = json.loads(settings)
        self._kept: Any = None

    def __call__(self, batch: dict[str, Any]) -> dict[str, list[str]]:
        """Does the shards in a batch; the sentence of an error comes back as text, and is raised by the driver."""
        shards = [Shard.parse(str(text)) for text in batch["shard"]]
        problems = [""] * len(shards)
        try:
            for shard in shards:
                for _ in self._opened(shard.count).make(shard):
                    pass
        except VitrailError as error:
            problems = [json.dumps([type(error).__name__, str(error)])] * len(shards)
        return {"shard": [str(shard) for shard in shards], "problem": problems}

    def _opened(self, count: int) -> Any:
        from vitrail.tasks import TASKS  # noqa: PLC0415  (in the worker, once)
        from vitrail.tasks.sharded_run import Kept  # noqa: PLC0415

        if self._kept is None:
            os.chdir(self._said["here"])
            task = TASKS[self._said["task"]](**self._said["settings"])
            self._kept = Kept(task.opened(), Path(self._said["folder"]), count)
        return self._kept


def on_ray(task: Sharded, todo: Sequence[Shard], folder: Path) -> Iterator[Event]:
    """Has `todo` done by `task.workers` actors; yields progress in shards.

    Raises:
        MissingExtra: Ray is not installed.
        VitrailError: what a worker met.
    """
    if not todo:
        return
    ray = _started()
    said = {
        "task": next(name for name, kind in _tasks() if kind is type(task)),
        "settings": task.model_dump(mode="json"),
        "folder": str(folder.resolve()),
        "here": os.getcwd(),
    }
    rows = [{"shard": f"{shard.number}/{shard.count}"} for shard in todo]
    done = ray.data.from_items(rows, override_num_blocks=len(rows)).map_batches(
        Worker,
        fn_constructor_args=(json.dumps(said),),
        batch_size=1,
        concurrency=min(task.workers, len(todo)),
        num_cpus=1,
    )
    for count, row in enumerate(done.iter_rows(), 1):
        if row["problem"]:
            kind, sentence = json.loads(row["problem"])
            raise getattr(errors, kind)(sentence)
        yield Progress("shards", count, len(todo), unit="shards")


def _started() -> Any:
    """Ray, connected to the cluster that RAY_ADDRESS names, or started here: no dashboard, nothing sent to anybody."""
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"  # read when Ray starts
    try:
        import ray  # noqa: PLC0415  (an extra)
        import ray.data  # noqa: PLC0415
    except ImportError:
        raise MissingExtra("Ray is not installed; run `pip install 'vitrail[ray]'`, or use --engine local.") from None
    if not ray.is_initialized():
        ray.init(include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR)
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    return ray


def _tasks() -> Iterator[tuple[str, Any]]:
    from vitrail.tasks import TASKS  # noqa: PLC0415  (this module is used by what is in that table)

    return ((name, TASKS[name]) for name in TASKS)
