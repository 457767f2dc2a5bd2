"""A run again from its folder, and whether the figures are the same."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

from vitrail.errors import BadRun
from vitrail.events import Event, Note, Result
from vitrail.runs import new_folder, read_run, record
from vitrail.settings import Task, setting

MEASURED = {"seconds", "images_per_second", "run", "computed", "forward", "device"}
"""Keys that say how a run went, not what came out."""


class Replay(Task):
    """Repeat a run from its folder and say whether the figures are equal."""

    records: ClassVar[bool] = False

    run_folder: Path = setting(..., "The run to repeat", positional=True)
    runs: Path = setting(Path("runs"), "Where the new run folder is made")

    def run(self) -> Iterator[Event]:
        """Passes the repeated run's events on; the last event is the `Result` of the comparison."""
        from vitrail.tasks import TASKS  # noqa: PLC0415  (this module is in that table)

        old = read_run(self.run_folder)
        if old.result is None:
            raise BadRun(f"{str(self.run_folder)!r} did not end, so there are no figures to compare; run it anew.")
        task = TASKS[old.task](**old.settings)
        new: dict[str, Any] = {}
        folder = new_folder(self.runs, old.task)
        for event in record(task, old.task, folder):
            if isinstance(event, Result):
                new = dict(event.figures)
            else:
                yield event
        unequal = sorted(differences(dict(old.result), new))
        yield Note("Figures equal." if not unequal else f"Figures differ: {', '.join(unequal)}.")
        yield Result({"equal": not unequal, "differences": unequal, "run": str(folder)})


def differences(old: dict[str, Any], new: dict[str, Any]) -> set[str]:
    """The keys whose values differ bit for bit, those that measure the machine left out."""
    return {key for key in (old.keys() | new.keys()) - MEASURED if old.get(key) != new.get(key)}
