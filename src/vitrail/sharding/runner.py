"""Runs a task in shards: the missing ones, in this process, in several, or on Ray; then merges all of them."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from vitrail.events import Event, Note, Result
from vitrail.sharding.processes import in_processes, one_thread, worker_count, worker_spec
from vitrail.sharding.shard import MOST, Shard, shards
from vitrail.sharding.store import ShardStore
from vitrail.sharding.work import Work

SHARD_SIZE = 1000  # images of a shard, where no number of shards is given
LISTED = 10_000  # images that result.json names: all are in the shards' files


def run_shards(
    work: Work,
    folder: Path,
    *,
    count: int | None,
    engine: str,
    workers: int | None,
    reopen: str,
    settings: Mapping[str, Any],
) -> Iterator[Event]:
    """Makes the shards that are missing in `folder`, then merges all.

    Args:
        count: how many shards; None: one for each `SHARD_SIZE` images.
        engine: "local" or "ray".
        workers: processes at the same time; None: one a processor, 8 at most.
        reopen: "module:Class" of the task, with which each worker opens what it needs.
        settings: that task's settings, as JSON values.
    """
    started = time.perf_counter()
    store = ShardStore(work, folder, count or min(MOST, -(-len(work.files) // SHARD_SIZE)))
    missing = [shard for shard in shards(store.count) if not store.has(shard)]
    if len(missing) < store.count:
        yield Note(f"{store.count - len(missing)} of {store.count} shards are already finished.")
    number = worker_count(missing, workers)
    if engine == "ray" or number > 1:
        yield from _elsewhere(engine, worker_spec(reopen, settings, folder), missing, number)
    else:
        with one_thread():
            for shard in missing:
                yield from store.run(shard)
    about = {"count": store.count, "computed": len(missing), "folder": "shards", "engine": engine}
    for event in work.merge(store.parts(), LISTED):
        if isinstance(event, Result):
            seconds = {**event.values["seconds"], "total": time.perf_counter() - started}
            event = Result({**event.values, "shards": about, "seconds": seconds})
        yield event


def run_single_shard(work: Work, folder: Path, shard: Shard) -> Iterator[Event]:
    """Makes one shard in `folder`, for any scheduler; `run_shards` merges them later."""
    started = time.perf_counter()
    store = ShardStore(work, folder, shard.count)
    with one_thread():
        yield from store.run(shard)
    part = store.part(shard)
    yield Result(
        {
            "shard": f"{shard.number}/{shard.count}",
            "backbone": work.depends_on["backbone"],
            "device": part.about["device"],
            "skipped": list(part.skipped),
            "n": len(part.rows),
            "seconds": {"total": time.perf_counter() - started},
        }
    )


def _elsewhere(engine: str, spec: str, missing: Sequence[Shard], workers: int) -> Iterator[Event]:
    if engine == "ray":
        from vitrail.sharding.ray_engine import on_ray

        yield from on_ray(spec, missing, workers)
    else:
        yield from in_processes(spec, missing, workers)
