"""Steps of a reproduction, one after another; finished ones are kept."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from vitrail.errors import VitrailError
from vitrail.events import Event, Note, Progress, Result
from vitrail.files import rename
from vitrail.gan.checkpoints import latest_checkpoint
from vitrail.interrupts import Interrupts
from vitrail.reproduction.plan import Step
from vitrail.run_writer import record
from vitrail.runs import Run, read_run
from vitrail.task import Task
from vitrail.tasks.gan_train import GanTrain


@dataclass
class Steps:
    """The steps in the run folder `home`.

    Attributes:
        results: `result.json` of each finished step, by name.
        failed: why a step could not be run, by name.
    """

    home: Path
    results: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)

    def folder(self, name: str) -> Path:
        """The run folder of a step."""
        return self.home / "steps" / name

    def complete(self, step: Step) -> Iterator[Event]:
        """Runs a step unless it is finished or lacks an input; yields its progress and notes.

        Raises:
            KeyboardInterrupt: Ctrl-C was pressed; a step that it ended early does not count as finished.
        """
        if step.name in self.results or step.name in self.failed:
            return
        if step.task is None:
            self.failed[step.name] = step.missing
        elif self._finished(step):
            yield Note(f"{step.name}: finished before.")
        else:
            yield from self._run(step)

    def _finished(self, step: Step) -> bool:
        run = _read(self.folder(step.name))
        if run is None or run.result is None or not _same(run, step) or self._outdated(step):
            return False
        self.results[step.name] = run.result
        return True

    def _outdated(self, step: Step) -> bool:
        """Whether a step that it reads was run after it."""
        own = (self.folder(step.name) / "result.json").stat().st_mtime_ns
        read = (self.folder(name) / "result.json" for name in step.after)
        return any(path.is_file() and path.stat().st_mtime_ns > own for path in read)

    def _run(self, step: Step) -> Iterator[Event]:
        folder = self.folder(step.name)
        task = _resumed(step, folder) or step.task
        assert task is not None
        if task.resume_folder is None:
            _set_aside(folder)
        try:
            with DeferredInterrupt() as pressed:
                for event in record(task, step.kind, folder):
                    yield from self._forward(step, event)
        except VitrailError as error:
            self.failed[step.name] = str(error)
            yield Note(f"{step.name} is skipped: {error}", "warning")
            return
        if pressed.wanted:
            _set_aside(folder)
            raise KeyboardInterrupt
        assert step.name in self.results

    def _forward(self, step: Step, event: Event) -> Iterator[Event]:
        match event:
            case Progress():
                yield replace(event, stage=f"{step.name}: {event.stage}")
            case Note():
                yield replace(event, text=f"{step.name}: {event.text}")
            case Result():
                self.results[step.name] = event.values


class DeferredInterrupt(Interrupts):
    """Records Ctrl-C as well as raising it: a task that keeps its results on Ctrl-C ends normally and hides it."""

    def _note(self, number: int, frame: object) -> None:
        super()._note(number, frame)
        raise KeyboardInterrupt


def _resumed(step: Step, folder: Path) -> Task | None:
    """The same training from its last checkpoint, if the folder holds an unfinished run with the same settings."""
    run = _read(folder)
    if not isinstance(step.task, GanTrain) or run is None or run.result is not None or not _same(run, step):
        return None
    try:
        latest_checkpoint(folder)
        return GanTrain(resume=folder)
    except VitrailError:
        return None


def _read(folder: Path) -> Run | None:
    try:
        return read_run(folder)
    except VitrailError:
        return None


def _same(run: Run, step: Step) -> bool:
    """Whether a run has the settings of the step, resumed or not."""
    settings = {} if step.task is None else step.task.model_dump(mode="json")
    return {**settings, "resume": None} == {**run.settings, "resume": None}


def _set_aside(folder: Path) -> None:
    """Renames the folder to `NAME.unfinished-N`, so that nothing in it is lost."""
    if folder.exists():
        names = (folder.with_name(f"{folder.name}.unfinished-{count}") for count in range(1, 10_000))
        rename(folder, next(name for name in names if not name.exists()), within=folder.parent)
