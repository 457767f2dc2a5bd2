"""The queue of the page: jobs run one at a time, in the order of their submission."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from secrets import token_hex
from typing import Any, Literal

from vitrail.errors import BadSetting
from vitrail.files import remove_empty_folder
from vitrail.tasks import TASKS

State = Literal["waiting", "running", "stopping", "done", "stopped", "failed"]
MAX_WAITING = 20


@dataclass(frozen=True)
class Step:
    """One task of a job.

    Attributes:
        settings: validated JSON values.
        folder: the run folder.
    """

    task: str
    settings: dict[str, Any]
    folder: Path = Path()

    @classmethod
    def of(cls, task: str, settings: dict[str, Any], folder: Path = Path()) -> Step:
        """A step with validated settings.

        Raises:
            BadSetting: a setting is wrong.
        """
        values = TASKS[task](**settings).model_dump(mode="json")
        return cls(task, values, folder)

    def in_folder(self, folder: Path) -> Step:
        """The same step with another run folder."""
        return replace(self, folder=folder)


@dataclass
class Job:
    """Tasks that run one after the other; the first failure ends the job.

    Attributes:
        current: index of the running step, or of the last one.
        message: why it failed.
    """

    id: str
    steps: Sequence[Step]
    state: State = "waiting"
    current: int = 0
    message: str = ""

    @property
    def finished(self) -> bool:
        """Whether the job has ended, in whatever way."""
        return self.state in ("done", "stopped", "failed")


class Jobs:
    """The queue, and the one worker process, which is started with the first job.

    Args:
        readable: folders below which tasks may read; none: everywhere.
    """

    def __init__(self, readable: Sequence[Path] = ()) -> None:
        self._readable = tuple(readable)
        self._jobs: list[Job] = []
        self._changed = threading.Condition()
        self._worker: subprocess.Popen[str] | None = None
        self._closed = False
        self._interruptible = False  # whether SIGINT would stop the running task
        threading.Thread(target=self._serve, name="jobs", daemon=True).start()

    def submit(self, steps: Sequence[Step]) -> Job:
        """Puts a job at the end of the queue.

        Raises:
            BadSetting: `MAX_WAITING` jobs are waiting.
        """
        with self._changed:
            if len(self.open()) >= MAX_WAITING:
                _remove_empty_folders(steps)
                raise BadSetting(f"{MAX_WAITING} jobs are waiting, the maximum. Stop one, or try again later.")
            job = Job(token_hex(8), tuple(steps))
            self._jobs.append(job)
            self._changed.notify_all()
        return job

    def open(self) -> list[Job]:
        """Jobs that have not finished, the running one first."""
        return [job for job in self._jobs if not job.finished]

    def named_by_open(self) -> str:
        """The settings of all open jobs as one text, in which the uploads that they need can be found."""
        return json.dumps([step.settings for job in self.open() for step in job.steps], ensure_ascii=False)

    def find(self, identity: str) -> Job | None:
        """The job with an id; None if there is none."""
        return next((job for job in self._jobs if job.id == identity), None)

    def jobs_ahead(self, job: Job) -> int:
        """Number of jobs that must finish before this one starts."""
        waiting = self.open()
        return waiting.index(job) if job in waiting else 0

    def cancel(self, job: Job) -> None:
        """Removes a waiting job from the queue; stops a running one as Ctrl-C does, which keeps what is finished."""
        with self._changed:
            if job.state == "waiting":
                _remove_empty_folders(job.steps)
                job.state = "stopped"
            elif job.state == "running":
                job.state = "stopping"
                self._interrupt()

    def close(self, seconds: float = 30.0) -> None:
        """Stops all jobs and ends the worker process; one that takes longer goes on, and ends by itself soon after."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        for job in self.open():
            if job.state == "waiting":
                self.cancel(job)
        if self._worker is not None:
            assert self._worker.stdin is not None
            assert self._worker.stdout is not None
            self._worker.stdin.close()  # which stops what runs; a second notice would stop it before it is stored
            try:
                self._worker.wait(timeout=seconds)
            except subprocess.TimeoutExpired:  # what it says is still waited for, in `_execute`
                return
            self._worker.stdout.close()

    def _serve(self) -> None:
        while (job := self._next()) is not None:
            for number, step in enumerate(job.steps):
                job.current = number
                answer = self._execute(step, job)
                if answer["state"] != "done" or job.state == "stopping":
                    break
            job.message = answer["message"]
            state: Any = answer["state"]
            _remove_empty_folders(job.steps)
            job.state = state if number + 1 == len(job.steps) or state != "done" else "stopped"

    def _next(self) -> Job | None:
        """Waits for a job; None once the queue is closed."""
        with self._changed:
            while not self._closed:
                job = next((job for job in self._jobs if job.state == "waiting"), None)
                if job is not None:
                    job.state = "running"
                    return job
                self._changed.wait()
        return None

    def _interrupt(self) -> None:
        if self._interruptible and self._worker is not None:
            os.kill(self._worker.pid, signal.SIGINT)

    def _on_start(self, job: Job) -> None:
        """The task can be interrupted from now on; a stop that was requested before takes effect now."""
        with self._changed:
            self._interruptible = True
            if job.state == "stopping":
                self._interrupt()

    def _execute(self, step: Step, job: Job) -> dict[str, str]:
        worker = self._running_worker()
        if worker is None:
            return {"state": "stopped", "message": "The server was closed."}
        assert worker.stdin is not None
        assert worker.stdout is not None
        order = {"task": step.task, "settings": step.settings, "folder": str(step.folder)}
        try:
            worker.stdin.write(json.dumps(order) + "\n")
            worker.stdin.flush()
            line = worker.stdout.readline()
            if line:
                self._on_start(job)
                line = worker.stdout.readline()
        except (BrokenPipeError, ValueError):
            line = ""
        finally:
            self._interruptible = False
        if not line:
            code = worker.wait()
            self._worker = None
            worker.stdin.close()
            worker.stdout.close()
            return {
                "state": "failed",
                "message": f"The worker process ended unexpectedly (code {code}); out of memory?",
            }
        answer: dict[str, str] = json.loads(line)
        return answer

    def _running_worker(self) -> subprocess.Popen[str] | None:
        """The worker process, started if need be; None once the queue is closed: nobody would end it."""
        with self._changed:
            if self._closed:
                return None
            if self._worker is None or self._worker.poll() is not None:
                self._worker = subprocess.Popen(
                    # -P: modules are not looked for in the current folder, which may hold somebody else's files.
                    [sys.executable, "-P", "-m", "vitrail.studio.worker", *map(str, self._readable)],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    text=True,
                    start_new_session=True,  # Ctrl-C in the server's terminal must not reach the worker
                )
            return self._worker


def _remove_empty_folders(steps: Sequence[Step]) -> None:
    """Removes the folders of steps that never started."""
    for step in steps:
        remove_empty_folder(step.folder)
