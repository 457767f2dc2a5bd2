"""Run folders in, one HTML file that needs no network out."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

from vitrail.events import Event, Note, Result
from vitrail.settings import setting
from vitrail.task import Task


class Report(Task):
    """Put runs into one self-contained HTML page."""

    records: ClassVar[bool] = False

    run_folders: tuple[Path, ...] = setting(..., "Run folders", positional=True)
    output: Path = setting(Path("report.html"), "The page to write")

    def run(self) -> Iterator[Event]:
        """Writes the page; the last event is the `Result`."""
        from vitrail.report import build_report

        build_report(list(self.run_folders), self.output)
        yield Note(f"Report: {self.output}")
        yield Result({"output": str(self.output)})
