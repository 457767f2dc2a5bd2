"""Parts of a reproduction, one after another; those that are finished are left as they are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from vitrail.errors import VitrailError
from vitrail.events import Event, Note, Progress, Result
from vitrail.gan.checkpoints import latest_checkpoint
from vitrail.interrupts import Interrupts
from vitrail.runs import Run, read_run, record
from vitrail.task import Task
from vitrail.tasks.gan_train import GanTrain
from vitrail.tasks.reproduce_plan import Part


@dataclass
class Parts:
    """The parts in the run folder `home`.

    Attributes:
        results: of those that are finished, by name.
        failed: why others could not be made, by name.
    """

    home: Path
    results: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)

    def folder(self, name: str) -> Path:
        """Where a part is kept."""
        return self.home / "parts" / name

    def make(self, part: Part) -> Iterator[Event]:
        """Makes a part unless it is finished or something is missing; its progress and notes are passed on.

        Raises:
            KeyboardInterrupt: Ctrl-C was pressed; a part that ended early for it is not counted as finished.
        """
        if part.name in self.results or part.name in self.failed:
            return
        if part.task is None:
            self.failed[part.name] = part.missing
        elif self._finished(part):
            yield Note(f"{part.name}: finished before.")
        else:
            yield from self._made(part, part.task)

    def _finished(self, part: Part) -> bool:
        run = _run(self.folder(part.name))
        if run is None or run.result is None or not _same(run, part.task) or self._outdated(part):
            return False
        self.results[part.name] = run.result
        return True

    def _outdated(self, part: Part) -> bool:
        """Whether a part that it reads was made after it."""
        own = (self.folder(part.name) / "result.json").stat().st_mtime_ns
        read = (self.folder(name) / "result.json" for name in part.after)
        return any(path.is_file() and path.stat().st_mtime_ns > own for path in read)

    def _made(self, part: Part, task: Task) -> Iterator[Event]:
        folder = self.folder(part.name)
        task = _gone_on_with(task, folder) or task
        if task.resume_folder is None:
            _put_aside(folder)
        try:
            with Remembered() as pressed:
                for event in record(task, part.kind, folder):
                    yield from self._heard(part, event)
        except VitrailError as error:
            self.failed[part.name] = str(error)
            yield Note(f"{part.name} is left out: {error}")
            return
        if pressed.wanted:
            _put_aside(folder)
            raise KeyboardInterrupt
        assert part.name in self.results

    def _heard(self, part: Part, event: Event) -> Iterator[Event]:
        match event:
            case Progress():
                yield replace(event, stage=f"{part.name}: {event.stage}")
            case Note():
                yield Note(f"{part.name}: {event.text}")
            case Result():
                self.results[part.name] = event.values


class Remembered(Interrupts):
    """Ctrl-C as it is everywhere, and remembered: a task that ends early and well hides it from whoever started it."""

    def _note(self, *_: object) -> None:
        self.wanted = True
        raise KeyboardInterrupt


def _gone_on_with(task: Task, folder: Path) -> Task | None:
    """The same training from its last checkpoint, if the folder holds one of the same settings that did not end."""
    run = _run(folder)
    if not isinstance(task, GanTrain) or run is None or run.result is not None or not _same(run, task):
        return None
    try:
        latest_checkpoint(folder)
        return GanTrain(resume=folder)
    except VitrailError:
        return None


def _run(folder: Path) -> Run | None:
    try:
        return read_run(folder)
    except VitrailError:
        return None


def _same(run: Run, task: Task | None) -> bool:
    """Whether a run was made with the task's settings, at one go or not."""
    wanted = {} if task is None else task.model_dump(mode="json")
    return {**wanted, "resume": None} == {**run.settings, "resume": None}


def _put_aside(folder: Path) -> None:
    """What is in the folder moves to `NAME.unfinished`, so that nothing that was made is lost."""
    if folder.exists():
        names = (folder.with_name(f"{folder.name}.unfinished-{count}") for count in range(1, 10_000))
        folder.rename(next(name for name in names if not name.exists()))
