"""A run repeated from its folder, and its values compared."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

from vitrail.errors import BadRun
from vitrail.events import Event, Note, Result, Summary
from vitrail.formatting import command
from vitrail.run_writer import new_folder, record
from vitrail.runs import read_run
from vitrail.settings import DATA, OUTPUT, setting
from vitrail.task import Task

MEASURED = {
    *("seconds", "images_per_second", "run", "computed", "engines", "device"),
    *("evaluation_share", "speedup"),
}
"""Keys that describe the machine and its speed, not the result."""


class Replay(Task):
    """Repeat a run from its folder and compare the values.

    It reads what the run's settings name, and writes to its new run folder and the user's cache only.
    """

    records: ClassVar[bool] = False

    run_folder: Path = setting(..., "Run folder to repeat", panel=DATA, positional=True)
    runs: Path = setting(Path("runs"), "Folder in which the new run folder is made", panel=OUTPUT, written=True)

    def run(self) -> Iterator[Event]:
        """Passes the events of the repeated run on; the last event is the `Result` of the comparison."""
        from vitrail.tasks import TASKS

        old = read_run(self.run_folder)
        if old.result is None:
            raise BadRun(f"{str(self.run_folder)!r} has no result to compare with. Use a finished run.")
        version = old.environment.get("vitrail", "(unknown)")
        if old.task not in TASKS:
            made = f"{str(old.folder)!r} was made by Vitrail {version} with the command {old.task!r}"
            raise BadRun(
                f"{made}, which this version lacks. Use that version, or make a new run.", path=str(old.folder)
            )
        task = TASKS[old.task].of_run(old.folder, old.settings, version)
        new: dict[str, Any] = {}
        folder = new_folder(self.runs, old.task)
        for event in record(task, old.task, folder, is_ours=True):
            if isinstance(event, Result):
                new = dict(event.values)
            elif not isinstance(event, Summary):
                yield event
        unequal = sorted(differences(dict(old.result), new))
        if unequal:
            yield Note(f"These values differ: {', '.join(unequal)}.", "warning")
        verdict = "no: " + ", ".join(unequal) if unequal else "yes, bit-identical"
        yield Summary(
            [("values equal", verdict), ("first run", str(self.run_folder)), ("repeated run", str(folder))],
            [command("compare", self.run_folder, folder)] if unequal else [],
        )
        yield Result({"equal": not unequal, "differences": unequal, "run": str(folder)})


def differences(old: dict[str, Any], new: dict[str, Any]) -> set[str]:
    """The keys whose values are not bit-identical, without those that describe the machine."""
    first, second = _outcome(old), _outcome(new)
    return {key for key in first.keys() | second.keys() if first.get(key) != second.get(key)}


def _outcome(value: Any) -> Any:
    """The values without those that describe the machine, in nested lists and objects too."""
    if isinstance(value, dict):
        return {key: _outcome(inner) for key, inner in value.items() if key not in MEASURED}
    return [_outcome(inner) for inner in value] if isinstance(value, list) else value
