"""Report of runs: one self-contained HTML file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

from vitrail.events import Event, Note, Result, Summary
from vitrail.settings import DATA, OUTPUT, setting
from vitrail.task import Task


class Report(Task):
    """Write runs into one self-contained HTML page."""

    records: ClassVar[bool] = False

    run_folders: tuple[Path, ...] = setting(..., "Run folders", panel=DATA, positional=True)
    output: Path = setting(Path("report.html"), "HTML file to write", panel=OUTPUT, written=True)

    def run(self) -> Iterator[Event]:
        """Writes the page; the last event is the `Result`."""
        from vitrail.report import build_report

        for folder, warnings in build_report(list(self.run_folders), self.output).items():
            yield from (Note(f"{folder}: {warning}", "damaged", folder) for warning in warnings)
        yield Summary([("page", str(self.output)), ("runs", str(len(self.run_folders)))])
        yield Result({"output": str(self.output)})
