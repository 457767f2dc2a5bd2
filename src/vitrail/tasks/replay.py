"""A run again from its folder, and whether the figures are the same."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

from vitrail.errors import BadRun
from vitrail.events import Event, Note, Result
from vitrail.runs import new_folder, read_run, record
from vitrail.settings import setting
from vitrail.task import Task

MEASURED = {
    *("seconds", "images_per_second", "run", "computed", "forward", "device"),
    *("evaluation_share", "times_as_quick"),
}
"""Keys that say how a run went, not what came out."""


class Replay(Task):
    """Repeat a run from its folder and say whether the figures are equal."""

    records: ClassVar[bool] = False

    run_folder: Path = setting(..., "The run to repeat", positional=True)
    runs: Path = setting(Path("runs"), "Where the new run folder is made")

    def run(self) -> Iterator[Event]:
        """Passes the repeated run's events on; the last event is the `Result` of the comparison."""
        from vitrail.tasks import TASKS

        old = read_run(self.run_folder)
        if old.result is None:
            raise BadRun(f"{str(self.run_folder)!r} did not end, so there are no figures to compare; run it anew.")
        task = TASKS[old.task](**old.settings)
        new: dict[str, Any] = {}
        folder = new_folder(self.runs, old.task)
        for event in record(task, old.task, folder):
            if isinstance(event, Result):
                new = dict(event.values)
            else:
                yield event
        unequal = sorted(differences(dict(old.result), new))
        yield Note("Figures equal." if not unequal else f"Figures differ: {', '.join(unequal)}.")
        yield Result({"equal": not unequal, "differences": unequal, "run": str(folder)})


def differences(old: dict[str, Any], new: dict[str, Any]) -> set[str]:
    """The keys whose values differ bit for bit, those that measure the machine left out."""
    kept, again = _came_out(old), _came_out(new)
    return {key for key in kept.keys() | again.keys() if kept.get(key) != again.get(key)}


def _came_out(value: Any) -> Any:
    """The figures without those that measure the machine, in lists and objects within them too."""
    if isinstance(value, dict):
        return {key: _came_out(inner) for key, inner in value.items() if key not in MEASURED}
    return [_came_out(inner) for inner in value] if isinstance(value, list) else value
