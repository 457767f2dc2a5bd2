"""Shards by the workers of Ray Data (https://docs.ray.io/en/latest/data/data.html), on this machine or a cluster.

Ray decides who does what where, and tries again when a worker dies. What is finished is ours: a shard's file is there
whole or not at all, so that a driver that is started again does the others only.
"""

from __future__ import annotations

import json
import logging
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vitrail.errors import MissingExtra
from vitrail.events import Event, Progress
from vitrail.sharding.shard import Shard
from vitrail.tasks.sharded_workers import Worker, check, how_many, told

if TYPE_CHECKING:
    from vitrail.tasks.sharded import Sharded


class Actor:
    """A worker as Ray Data calls it."""

    def __init__(self, said: str) -> None:
        self._worker = Worker(said)

    def __call__(self, batch: dict[str, Any]) -> dict[str, list[str]]:
        """Does the shards in a batch of one."""
        return {"answer": [json.dumps(self._worker.do(str(text))) for text in batch["shard"]]}


def on_ray(task: Sharded, todo: Sequence[Shard], folder: Path) -> Iterator[Event]:
    """Has `todo` done by actors; yields progress in shards.

    Raises:
        MissingExtra: Ray is not installed.
        VitrailError: what a worker met.
    """
    if not todo:
        return
    rows = [{"shard": f"{shard.number}/{shard.count}"} for shard in todo]
    with redirect_stdout(sys.stderr), _ray() as data:  # Ray tells of workers that died, and stdout is for results
        done = data.from_items(rows, override_num_blocks=len(rows)).map_batches(
            Actor,
            fn_constructor_args=(told(task, folder),),
            batch_size=1,
            concurrency=how_many(task, todo),
            num_cpus=1,
        )
        for count, row in enumerate(done.iter_rows(), 1):
            check(json.loads(row["answer"]))
            yield Progress("shards", count, len(todo), unit="shards")


@contextmanager
def _ray() -> Iterator[Any]:
    """Ray Data, on the cluster that RAY_ADDRESS names or on one started here: no dashboard, nothing sent to anybody."""
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"  # read when Ray starts
    try:
        import ray  # noqa: PLC0415  (an extra)
        import ray.data  # noqa: PLC0415
    except ImportError:
        raise MissingExtra("Ray is not installed; run `pip install 'vitrail[ray]'`, or use --engine local.") from None
    ours = not ray.is_initialized()
    if ours:
        ray.init(include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR)
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    ray.data.DataContext.get_current().enable_progress_bars = False
    try:
        yield ray.data
    finally:
        if ours:
            ray.shutdown()
