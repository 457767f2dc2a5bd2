"""Shards by several processes of this machine, each with its own networks and one thread of arithmetic."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vitrail import errors
from vitrail.devices import processors
from vitrail.errors import LostProcess, VitrailError
from vitrail.events import Event, Progress
from vitrail.sharding.shard import Shard

if TYPE_CHECKING:
    from vitrail.tasks.sharded import Sharded

MOST = 8  # workers, where nobody says how many: each takes half a GB and more


@contextmanager
def one_thread() -> Iterator[None]:
    """Sums are split among threads, and rounded otherwise by other numbers of them: a shard's are always one."""
    import torch  # noqa: PLC0415  (seconds)
    from threadpoolctl import threadpool_limits  # noqa: PLC0415

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with threadpool_limits(1):
            yield
    finally:
        torch.set_num_threads(before)


def told(task: Sharded, folder: Path) -> str:
    """What a worker needs to open the task by itself, from paths, so that nothing large is sent to it."""
    from vitrail.tasks import TASKS  # noqa: PLC0415  (this module is used by what is in that table)

    name = next(name for name in TASKS if TASKS[name] is type(task))
    settings = task.model_dump(mode="json")
    return json.dumps({"task": name, "settings": settings, "folder": str(folder.resolve()), "here": os.getcwd()})


class Worker:
    """Does shards of a task, which it opens when the first one comes."""

    def __init__(self, said: str) -> None:
        self._said = json.loads(said)
        self._kept: Any = None

    def do(self, text: str) -> list[str]:
        """Does a shard; an error of the user's comes back as its class and sentence."""
        try:
            with one_thread():
                shard = Shard.parse(text)
                for _ in self._opened(shard.count).make(shard):
                    pass
        except VitrailError as error:
            return [type(error).__name__, str(error)]
        return []

    def _opened(self, count: int) -> Any:
        from vitrail.tasks import TASKS  # noqa: PLC0415
        from vitrail.tasks.sharded_run import Kept  # noqa: PLC0415

        if self._kept is None:
            os.chdir(self._said["here"])
            task = TASKS[self._said["task"]](**self._said["settings"])
            self._kept = Kept(task.opened(), Path(self._said["folder"]), count)
        return self._kept


def check(answer: Sequence[str]) -> None:
    """Raises what a worker met."""
    if answer:
        kind, sentence = answer
        raise getattr(errors, kind)(sentence)


def how_many(task: Sharded, todo: Sequence[Shard]) -> int:
    """Workers that are worth starting."""
    return min(len(todo), task.workers or min(MOST, processors()))


def in_processes(task: Sharded, todo: Sequence[Shard], folder: Path) -> Iterator[Event]:
    """Has `todo` done by so many processes; yields progress in shards.

    Raises:
        LostProcess: a process was killed.
        VitrailError: what a worker met.
    """
    waiting, said = iter(todo), told(task, folder)
    crew: dict[Any, BaseProcess] = {}
    done = 0
    try:
        for _ in range(how_many(task, todo)):
            _engage(crew, said, next(waiting))
        while done < len(todo):
            for wire in wait(list(crew)):
                _hear(wire, crew[wire])  # type: ignore[arg-type]
                done += 1
                yield Progress("shards", done, len(todo), unit="shards")
                shard = next(waiting, None)
                if shard is None:
                    crew.pop(wire).terminate()  # idle: what it did is on the disk
                else:
                    _send(wire, shard)  # type: ignore[arg-type]
    finally:
        for process in crew.values():
            process.terminate()


def _engage(crew: dict[Any, BaseProcess], said: str, shard: Shard) -> None:
    context = multiprocessing.get_context("spawn")  # a fork would inherit locks of threads that it has not
    here, there = context.Pipe()
    process = context.Process(target=_work, args=(said, there), daemon=True)
    process.start()
    there.close()  # so that its end is heard
    crew[here] = process
    _send(here, shard)


def _work(said: str, wire: Connection) -> None:
    """What a worker process does until the other end of the wire is gone."""
    from vitrail.process import settle_in  # noqa: PLC0415

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches all processes; the first one ends the others
    settle_in()
    worker = Worker(said)
    while True:
        try:
            text = wire.recv_bytes().decode()
        except EOFError:
            return
        wire.send_bytes(json.dumps(worker.do(text)).encode())


def _send(wire: Connection, shard: Shard) -> None:
    try:
        wire.send_bytes(f"{shard.number}/{shard.count}".encode())
    except OSError:  # it is gone: `_hear` says so
        return


def _hear(wire: Connection, process: BaseProcess) -> None:
    try:
        answer = json.loads(wire.recv_bytes())
    except (EOFError, OSError):
        process.join()
        raise LostProcess(
            f"A worker ended before its shard was done (exit code {process.exitcode}; -9 is often a lack of memory); "
            "what is finished is kept: run again, with fewer --workers if memory is short."
        ) from None
    check(answer)
