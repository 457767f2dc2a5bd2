"""A run repeated from its folder, and its values compared."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any, ClassVar

from vitrail.errors import BadRun
from vitrail.events import Event, Note, Result, Summary
from vitrail.formatting import command
from vitrail.result_differences import counted, differences
from vitrail.run_writer import new_folder, record
from vitrail.runs import Run, read_run
from vitrail.settings import DATA, OUTPUT, setting
from vitrail.task import Task


class Replay(Task):
    """Repeat a run from its folder and compare the values.

    It reads what the run's settings name, and writes to its new run folder and the user's cache only.
    """

    records: ClassVar[bool] = False

    run_folder: Path = setting(..., "Run folder to repeat", panel=DATA, positional=True)
    data: Path | None = setting(None, "Where the run's images are now, if they were moved", panel=DATA)
    runs: Path = setting(Path("runs"), "Folder in which the new run folder is made", panel=OUTPUT, written=True)

    def run(self) -> Iterator[Event]:
        """Passes the events of the repeated run on; the last event is the `Result` of the comparison."""
        from vitrail.datasets.changes import recorded_changes

        old = read_run(self.run_folder)
        if old.result is None:
            raise BadRun(f"{str(self.run_folder)!r} has no result to compare with. Use a finished run.")
        task = self._task(old)
        new: dict[str, Any] = {}
        folder = new_folder(self.runs, old.task)
        for event in record(task, old.task, folder, is_ours=True):
            if isinstance(event, Result):
                new = dict(event.values)
            elif not isinstance(event, Summary):
                yield event
        changed = recorded_changes(old.folder, folder)
        if changed:
            yield Note(f"The images are not those of the run: {changed.line()}.", "warning")
        unequal = sorted(differences(dict(old.result), new))
        if unequal:
            yield Note(
                f"These values differ: {', '.join(counted(each, old.result, new) for each in unequal)}.", "warning"
            )
        verdict = "no: " + ", ".join(unequal) if unequal else "yes, bit-identical"
        yield Summary(
            [("values equal", verdict), ("first run", str(self.run_folder)), ("repeated run", str(folder))],
            [command("compare", self.run_folder, folder)] if unequal else [],
        )
        yield Result(
            {
                "equal": not unequal,
                "differences": unequal,
                "images": None if changed is None else asdict(changed),
                "run": str(folder),
            }
        )

    def _task(self, old: Run) -> Task:
        """The task of the run, with its paths as they are found from here.

        Raises:
            BadRun: this version cannot repeat it, or its images are not where they were.
        """
        from vitrail.datasets.moved import settings_here
        from vitrail.tasks import TASKS

        version = old.environment.get("vitrail", "(unknown)")
        if old.task not in TASKS:
            made = f"{str(old.folder)!r} was made by Vitrail {version} with the command {old.task!r}"
            raise BadRun(
                f"{made}, which this version lacks. Use that version, or make a new run.", path=str(old.folder)
            )
        kind: type[Task] = TASKS[old.task]
        if not kind.records:
            return kind.of_run(old.folder, old.settings, version)  # which refuses it
        data = None if self.data is None else str(self.data)
        settings = settings_here(old, kind.path_settings(old.settings), kind.images_setting(), data)
        task = kind.of_run(old.folder, settings, version)
        task.repeat(old.result or {})
        return task
