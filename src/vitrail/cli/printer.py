"""Events on a terminal: figures and prose on stdout, progress on stderr; with JSON, only the result on stdout."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, TaskID, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bars
from rich.table import Table as Grid

from vitrail.events import Event, Note, Plot, Progress, Result, Table

SECONDS_BETWEEN_LINES = 5


class Printer:
    """Shows the events of one task.

    Args:
        as_json: print `result.json`'s content on stdout and everything else on stderr.
    """

    def __init__(self, as_json: bool) -> None:
        self._as_json = as_json
        self._out = Console(stderr=as_json, highlight=False, soft_wrap=True)
        self._errors = Console(stderr=True, highlight=False, soft_wrap=True)
        self._progress = ProgressLines(self._errors)

    def show(self, events: Iterator[Event]) -> None:
        """Prints every event as it comes."""
        with self._progress.open():
            for event in events:
                self._one(event)

    def error(self, sentence: str) -> None:
        """The one line that a user's error becomes."""
        self._errors.print(f"[bold red]Error:[/] {escape(printable(sentence))}")

    def _one(self, event: Event) -> None:
        match event:
            case Progress():
                self._progress.update(event)
            case Note():
                self._out.print(escape(printable(event.text)))
            case Table(shown=True):
                self._out.print(grid(event))
            case Plot():
                self._out.print(
                    f"[dim]image[/] {escape(printable(event.name))}.png: {escape(printable(event.caption))}"
                )
            case Result():
                self._result(event)

    def _result(self, event: Result) -> None:
        if self._as_json:
            sys.stdout.write(json.dumps(dict(event.values), indent=2, allow_nan=False) + "\n")
        elif "run" in event.values:
            self._out.print(f"[bold]run[/] {escape(printable(str(event.values['run'])))}")


class ProgressLines:
    """Bars on a terminal; elsewhere one line every few seconds and at each part's end."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._bars: Bars | None = None
        self._ids: dict[str, TaskID] = {}
        self._last = time.monotonic()

    @contextmanager
    def open(self) -> Iterator[None]:
        """Shows the bars while the block runs, if stderr is a terminal."""
        if not self._console.is_terminal:
            yield
            return
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        with Bars(*columns, TextColumn("{task.fields[detail]}"), console=self._console, transient=True) as self._bars:
            yield

    def update(self, event: Progress) -> None:
        """Moves the part's bar, or prints a line if it is time for one."""
        if self._bars is not None:
            if event.stage not in self._ids:
                self._ids[event.stage] = self._bars.add_task(event.stage, total=event.total, detail="")
            self._bars.update(self._ids[event.stage], completed=event.done, total=event.total, detail=event.detail)
        elif event.done == event.total or time.monotonic() - self._last > SECONDS_BETWEEN_LINES:
            self._last = time.monotonic()
            of = f"/{event.total}" if event.total is not None else ""
            self._console.print(escape(f"{event.stage}: {event.done}{of} {event.unit} {event.detail}".rstrip()))


def grid(table: Table) -> Grid:
    """A table as rich draws it; numbers to the right."""
    drawn = Grid(title=escape(printable(table.title)), title_justify="left", header_style="bold")
    for index, column in enumerate(table.columns):
        numeric = all(isinstance(row[index], (int, float)) for row in table.rows)
        drawn.add_column(escape(printable(column)), justify="right" if numeric else "left", overflow="fold")
    for row in table.rows:
        drawn.add_row(*(escape(printable(cell(value))) for value in row))
    return drawn


def cell(value: Any) -> str:
    """A value as a table shows it: four significant decimals, thousands in groups, nothing for None."""
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.4g}" if abs(value) < 1000 else f"{value:,.0f}"
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)


def printable(text: str) -> str:
    """Text that any terminal takes: undecodable bytes and control characters as escapes."""
    safe = text.encode("utf-8", "backslashreplace").decode("utf-8")
    return "".join(char if char.isprintable() or char == "\n" else ascii(char)[1:-1] for char in safe)
