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
from typing import Any

from vitrail.errors import BadSetting, MissingExtra
from vitrail.events import Event, Progress
from vitrail.reading import confined_to
from vitrail.sharding.processes import Worker, check
from vitrail.sharding.shard import Shard


class Actor:
    """A worker as Ray Data calls it."""

    def __init__(self, spec: str) -> None:
        self._worker = Worker(spec)

    def __call__(self, batch: dict[str, Any]) -> dict[str, list[str]]:
        """Makes the shards in a batch of one."""
        return {"answer": [json.dumps(self._worker.run_shard(str(text))) for text in batch["shard"]]}


def on_ray(spec: str, missing: Sequence[Shard], workers: int) -> Iterator[Event]:
    """Has `missing` made by `workers` actors; yields progress in shards.

    Raises:
        MissingExtra: Ray is not installed.
        BadSetting: this process may not read everywhere, as the page's.
        VitrailError: what a worker reported.
    """
    if not missing:
        return
    if confined_to():  # its daemons are other processes: they would not be held to it, and listen
        raise BadSetting("Ray is for the command line. Use the engine local on the page.")
    rows = [{"shard": f"{shard.number}/{shard.count}"} for shard in missing]
    with redirect_stdout(sys.stderr), _ray() as data:  # Ray tells of workers that died, and stdout is for results
        done = data.from_items(rows, override_num_blocks=len(rows)).map_batches(
            Actor,
            fn_constructor_args=(spec,),
            batch_size=1,
            concurrency=workers,
            num_cpus=1,
        )
        for count, row in enumerate(done.iter_rows(), 1):
            check(json.loads(row["answer"]))
            yield Progress("shards", count, len(missing), unit="shards")


@contextmanager
def _ray() -> Iterator[Any]:
    """Ray Data, on the cluster that RAY_ADDRESS names or on one started here: no dashboard, nothing sent to anybody."""
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"  # read when Ray starts
    try:
        import ray
        import ray.data
    except ImportError:
        raise MissingExtra("Ray is not installed. Use `pip install 'vitrail[ray]'`, or --engine local.") from None
    ours = not ray.is_initialized()
    if ours:
        alone: dict[str, Any] = {} if os.environ.get("RAY_ADDRESS") else {"_node_ip_address": "127.0.0.1"}
        ray.init(include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR, **alone)
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    ray.data.DataContext.get_current().enable_progress_bars = False
    try:
        yield ray.data
    finally:
        if ours:
            ray.shutdown()
