"""What the page was asked to do: one job at a time, in the order in which they came."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from secrets import token_hex
from typing import Any, Literal

from vitrail.errors import BadSetting
from vitrail.tasks import TASKS

State = Literal["waiting", "running", "stopping", "done", "stopped", "failed"]
MOST_WAITING = 20


@dataclass(frozen=True)
class Step:
    """One task of a job.

    Attributes:
        settings: JSON values, checked.
        folder: the run folder, which the task makes.
    """

    task: str
    settings: dict[str, Any]
    folder: Path

    @classmethod
    def of(cls, task: str, settings: dict[str, Any], folder: Path) -> Step:
        """Raises `BadSetting` before anything waits for its turn."""
        return cls(task, TASKS[task](**settings).model_dump(mode="json"), folder)


@dataclass
class Job:
    """Tasks that follow each other; the first that fails ends it.

    Attributes:
        owner: the browser's session that asked for it.
        at: the step that runs, or ran last.
        sentence: why it failed.
    """

    id: str
    owner: str
    steps: Sequence[Step]
    state: State = "waiting"
    at: int = 0
    sentence: str = ""

    @property
    def over(self) -> bool:
        """Whether nothing more will happen."""
        return self.state in ("done", "stopped", "failed")


class Jobs:
    """The queue, and the one process that works on it; started with the first job."""

    def __init__(self) -> None:
        self._jobs: list[Job] = []
        self._changed = threading.Condition()
        self._worker: subprocess.Popen[str] | None = None
        self._closed = self._hears = False  # whether a signal would stop the task that runs
        threading.Thread(target=self._serve, name="jobs", daemon=True).start()

    def submit(self, owner: str, steps: Sequence[Step]) -> Job:
        """Puts a job at the end of the queue.

        Raises:
            BadSetting: too many wait already.
        """
        with self._changed:
            if len(self.open()) >= MOST_WAITING:
                _give_back(steps)
                raise BadSetting(f"{MOST_WAITING} jobs wait already; stop one, or come back later.")
            job = Job(token_hex(8), owner, tuple(steps))
            self._jobs.append(job)
            self._changed.notify_all()
        return job

    def open(self) -> list[Job]:
        """Jobs that are not over, the running one first."""
        return [job for job in self._jobs if not job.over]

    def find(self, identity: str) -> Job | None:
        """The job called so."""
        return next((job for job in self._jobs if job.id == identity), None)

    def before(self, job: Job) -> int:
        """How many jobs must end before this one begins."""
        waiting = self.open()
        return waiting.index(job) if job in waiting else 0

    def cancel(self, job: Job) -> None:
        """Takes a job out of the queue; one that runs is stopped as by Ctrl-C and keeps what it has."""
        with self._changed:
            if job.state == "waiting":
                _give_back(job.steps)
                job.state = "stopped"
            elif job.state == "running":
                job.state = "stopping"
                self._interrupt()

    def close(self) -> None:
        """Stops what runs, and ends the process."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        for job in self.open():
            self.cancel(job)
        if self._worker is not None:
            assert self._worker.stdin is not None
            assert self._worker.stdout is not None
            self._worker.stdin.close()
            try:
                self._worker.wait(timeout=30)
            except subprocess.TimeoutExpired:
                self._worker.kill()
            self._worker.stdout.close()

    def _serve(self) -> None:
        while (job := self._next()) is not None:
            for number, step in enumerate(job.steps):
                job.at = number
                answer = self._ask(step, job)
                if answer["state"] != "done" or job.state == "stopping":
                    break
            job.sentence = answer["sentence"]
            state: Any = answer["state"]
            _give_back(job.steps)
            job.state = state if number + 1 == len(job.steps) or state != "done" else "stopped"

    def _next(self) -> Job | None:
        """Waits for a job; None when there will be no more."""
        with self._changed:
            while not self._closed:
                job = next((job for job in self._jobs if job.state == "waiting"), None)
                if job is not None:
                    job.state = "running"
                    return job
                self._changed.wait()
        return None

    def _interrupt(self) -> None:
        if self._hears and self._worker is not None:
            os.kill(self._worker.pid, signal.SIGINT)

    def _begun(self, job: Job) -> None:
        """From now on the task hears; whoever wanted to stop it before is heard now."""
        with self._changed:
            self._hears = True
            if job.state == "stopping":
                self._interrupt()

    def _ask(self, step: Step, job: Job) -> dict[str, str]:
        worker = self._started()
        assert worker.stdin is not None
        assert worker.stdout is not None
        order = {"task": step.task, "settings": step.settings, "folder": str(step.folder)}
        try:
            worker.stdin.write(json.dumps(order) + "\n")
            worker.stdin.flush()
            line = worker.stdout.readline()
            if line:
                self._begun(job)
                line = worker.stdout.readline()
        except (BrokenPipeError, ValueError):
            line = ""
        finally:
            self._hears = False
        if not line:
            code = worker.wait()
            self._worker = None
            worker.stdin.close()
            worker.stdout.close()
            return {"state": "failed", "sentence": f"The working process ended by itself (code {code}): out of memory?"}
        answer: dict[str, str] = json.loads(line)
        return answer

    def _started(self) -> subprocess.Popen[str]:
        if self._worker is None or self._worker.poll() is not None:
            self._worker = subprocess.Popen(
                [sys.executable, "-m", "vitrail.studio.worker"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                start_new_session=True,  # Ctrl-C on the server's terminal is for the server
            )
        return self._worker


def _give_back(steps: Sequence[Step]) -> None:
    """Removes the folders of steps that never began."""
    for step in steps:
        with suppress(OSError):  # it began, and there is something in it
            step.folder.rmdir()
