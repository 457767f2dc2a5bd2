"""Shards in several processes of this machine, each with its own networks and one thread of arithmetic."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib import import_module
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from vitrail import errors
from vitrail.devices import cpu_count
from vitrail.errors import LostProcess, VitrailError
from vitrail.events import Event, Progress
from vitrail.process import configure_process, refuse_connections
from vitrail.reading import confine, confined_to
from vitrail.sharding.shard import Shard
from vitrail.sharding.store import ShardStore

MAX_WORKERS = 8  # by default: each takes half a GB and more


@contextmanager
def one_thread() -> Iterator[None]:
    """One thread of arithmetic: the rounding of sums depends on how many threads share them."""
    import torch
    from threadpoolctl import threadpool_limits

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with threadpool_limits(1):
            yield
    finally:
        torch.set_num_threads(before)


def worker_spec(reopen: str, settings: Mapping[str, Any], folder: Path) -> str:
    """What a worker needs to open the task by itself, from paths, so that nothing large is sent to it."""
    spec = {"reopen": reopen, "settings": dict(settings), "folder": str(folder.resolve()), "directory": os.getcwd()}
    return json.dumps({**spec, "confined_to": list(map(str, confined_to()))})


class Worker:
    """Makes shards of a task, which it opens when the first one comes."""

    def __init__(self, spec: str) -> None:
        self._spec = json.loads(spec)
        if self._spec["confined_to"]:
            confine(map(Path, self._spec["confined_to"]))
            refuse_connections()
        self._store: ShardStore | None = None

    def run_shard(self, text: str) -> list[str]:
        """Makes a shard; an error of the user's comes back as its class and message."""
        try:
            with one_thread():
                shard = Shard.parse(text)
                for _ in self._opened(shard.count).run(shard):
                    pass
        except VitrailError as error:
            return [type(error).__name__, str(error)]
        return []

    def _opened(self, count: int) -> ShardStore:
        if self._store is None:
            os.chdir(self._spec["directory"])
            module, name = self._spec["reopen"].split(":")
            task = getattr(import_module(module), name)(**self._spec["settings"])
            self._store = ShardStore(task.prepare(), Path(self._spec["folder"]), count)
        return self._store


def check(answer: Sequence[str]) -> None:
    """Raises the error that a worker reported."""
    if answer:
        kind, message = answer
        raise getattr(errors, kind)(message)


def worker_count(missing: Sequence[Shard], workers: int | None) -> int:
    """Workers that are worth starting; by default one a processor, `MAX_WORKERS` at most."""
    return min(len(missing), workers or min(MAX_WORKERS, cpu_count()))


def in_processes(spec: str, missing: Sequence[Shard], count: int) -> Iterator[Event]:
    """Has `missing` made by `count` processes; yields progress in shards.

    Raises:
        LostProcess: a process was killed.
        VitrailError: what a worker reported.
    """
    waiting = iter(missing)
    workers: dict[Any, BaseProcess] = {}
    done = 0
    try:
        for _ in range(count):
            _start_worker(workers, spec, next(waiting))
        while done < len(missing):
            for connection in wait(list(workers)):
                _receive(connection, workers[connection])  # type: ignore[arg-type]
                done += 1
                yield Progress("shards", done, len(missing), unit="shards")
                shard = next(waiting, None)
                if shard is None:
                    workers.pop(connection).kill()  # idle: its shards are on the disk
                else:
                    _send(connection, shard)  # type: ignore[arg-type]
    finally:
        for process in workers.values():
            process.kill()


def _start_worker(workers: dict[Any, BaseProcess], spec: str, shard: Shard) -> None:
    context = multiprocessing.get_context("spawn")  # a fork would inherit locks of threads that it has not
    ours, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(spec, theirs), daemon=True)
    with _no_modules_of_the_current_folder():
        process.start()
    theirs.close()  # so that a worker that ends is noticed
    workers[ours] = process
    _send(ours, shard)


@contextmanager
def _no_modules_of_the_current_folder() -> Iterator[None]:
    """A Python that is started meanwhile looks for none there, where somebody else's files may lie."""
    before = os.environ.get("PYTHONSAFEPATH")
    os.environ["PYTHONSAFEPATH"] = "1"
    try:
        yield
    finally:
        del os.environ["PYTHONSAFEPATH"]
        if before is not None:
            os.environ["PYTHONSAFEPATH"] = before


def _serve(spec: str, connection: Connection) -> None:
    """Runs in a worker process, until the other end of the connection is closed."""
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):  # they reach all processes; the first one ends the others
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)
    configure_process()
    worker = Worker(spec)
    while True:
        try:
            text = connection.recv_bytes().decode()
        except EOFError:
            return
        connection.send_bytes(json.dumps(worker.run_shard(text)).encode())


def _send(connection: Connection, shard: Shard) -> None:
    try:
        connection.send_bytes(f"{shard.number}/{shard.count}".encode())
    except OSError:  # the worker has ended: `_receive` reports it
        return


def _receive(connection: Connection, process: BaseProcess) -> None:
    try:
        answer = json.loads(connection.recv_bytes())
    except (EOFError, OSError):
        process.join()
        raise LostProcess(
            f"A worker ended before its shard was finished (exit code {process.exitcode}; -9 often means too little "
            "memory). Finished shards are kept. Use the same command again, with fewer --workers if memory is short."
        ) from None
    check(answer)
