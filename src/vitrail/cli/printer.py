"""Events on a terminal: the outcome on stdout, progress on stderr; with JSON, only the result on stdout."""

from __future__ import annotations

import json
import os
import shlex
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from rich.console import Console
from rich.markup import escape

from vitrail.cli.progress import ProgressLines
from vitrail.cli.table import grid
from vitrail.cli.text import printable, write_what_there_is
from vitrail.events import Event, Note, Plot, Progress, Result, Summary, Table

SKIPPED_LINES = 5
"""Notes about skipped files that are printed one by one; the others are counted."""

FILE_WIDTH = 10_000
"""Characters of a line of a table that goes into a file or a pipe: none is shortened there."""

LABELS = 22
"""Characters of the longest label of a summary that others are aligned with."""


class QuietConsole(Console):
    """A console whose reader may leave: rich would end the process, and with it the work."""

    def on_broken_pipe(self) -> None:
        """Leaves the decision to the printer."""
        raise BrokenPipeError


class Printer:
    """Shows the events of one task: notes as they come; the summary and the tables once the result is stored.

    A terminal that takes no more text (a closed pipe, a full disk) does not stop the work; `fault` tells it at its end.

    Args:
        as_json: print the content of `result.json` on stdout and everything else on stderr.
        shortening: options that make a long run shorter.
    """

    def __init__(self, as_json: bool, shortening: Sequence[str] = ()) -> None:
        write_what_there_is()
        self._as_json = as_json
        self._out = QuietConsole(stderr=as_json, highlight=False, soft_wrap=True, emoji=False)
        self._errors = QuietConsole(stderr=True, highlight=False, soft_wrap=True, emoji=False)
        self._progress = ProgressLines(self._errors, shortening)
        self._summary: Summary | None = None
        self._tables: list[Table] = []
        self._plots: list[str] = []
        self._skipped = 0
        self._out_fault: OSError | None = None
        self._errors_fault: OSError | None = None

    @property
    def fault(self) -> OSError | None:
        """Why something could not be written, if so."""
        return self._out_fault or self._errors_fault

    def show(self, events: Iterator[Event]) -> None:
        """Shows every event as it comes, or at the end where it belongs there."""
        with self._reporting():
            self._progress.start()
        try:
            for event in events:
                if isinstance(event, Progress):
                    with self._reporting():
                        self._progress.update(event)
                    continue
                with self._reporting():
                    self._progress.pause()
                with self._writing():
                    self._one(event)
        finally:
            with self._reporting():
                self._progress.stop()

    def error(self, sentence: str) -> None:
        """The one line that a user's error becomes."""
        with self._writing():
            text = f"Error: {printable(sentence)}"
            if self._errors.is_terminal:
                text = "\n".join(_wrapped(text, self._errors.width))
            self._errors.print(f"[bold red]Error:[/]{escape(text.removeprefix('Error:'))}")

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """The block writes unless an earlier one could not."""
        if self._out_fault is not None:
            self._out.quiet = self._errors.quiet = True
        try:
            yield
        except OSError as error:
            self._out_fault = error

    @contextmanager
    def _reporting(self) -> Iterator[None]:
        """The same for progress: where nobody reads it, the outcome is written all the same."""
        try:
            yield
        except OSError as error:
            self._errors_fault, self._errors.quiet = error, True
            self._out.quiet = self._as_json  # which is on stderr too then

    def _one(self, event: Event) -> None:
        match event:
            case Note(kind="skipped") if self._skipped >= SKIPPED_LINES:
                self._skipped += 1
            case Note():
                self._skipped += event.kind == "skipped"
                self._note(printable(event.text))
            case Table(prominent=True):
                self._tables.append(event)
            case Plot():
                self._plots.append(f"{event.name}.png")
            case Summary():
                self._summary = event
            case Result():
                self._outcome(event)

    def _note(self, text: str) -> None:
        """A sentence, broken at spaces where the terminal has an end."""
        self._line(escape("\n".join(_wrapped(text, self._width())) if self._bounded() else text))

    def _line(self, text: str) -> None:
        self._out.print(text)

    def _outcome(self, result: Result) -> None:
        """Everything that is shown at the end: by now it is stored."""
        try:
            self._ending(result)
        finally:
            if self._as_json and sys.stdout is not None:
                # Straight to stdout: a console would wrap or colour it.
                sys.stdout.write(json.dumps(dict(result.values), indent=2, allow_nan=False) + "\n")
                sys.stdout.flush()

    def _ending(self, result: Result) -> None:
        run = str(result.values["run"]) if "run" in result.values else None
        if self._skipped > SKIPPED_LINES:
            self._line(f"{self._skipped - SKIPPED_LINES:,} more skipped; result.json lists all.")
        for line in summary_lines(self._summary, run, self._plots, self._width()):
            self._line(line)
        for table in self._tables:
            self._line("")
            self._print_table(table, stored=run is not None)
        for step in next_steps(self._summary, run):
            self._line(step)

    def _print_table(self, table: Table, *, stored: bool) -> None:
        width = self._width()
        if self._bounded():
            self._out.print(grid(table, width, stored=stored))
            return
        self._out.width = FILE_WIDTH
        try:
            self._out.print(grid(table))
        finally:
            self._out.width = width

    def _bounded(self) -> bool:
        """Whether lines longer than the width would be broken; a file takes whole ones."""
        return self._out.is_terminal or "COLUMNS" in os.environ

    def _width(self) -> int:
        return self._out.width


def summary_lines(summary: Summary | None, run: str | None, plots: list[str], width: int) -> Iterator[str]:
    """Labels and values in two columns, as rich markup; values that are too long go on below themselves."""
    lines = list(summary.lines) if summary else []
    if run is not None:
        lines.append(("run folder", run))
        lines += [("plots", ", ".join(plots))] if plots else []
    if summary:
        yield ""
    margin = min(LABELS, max((len(label) for label, _ in lines), default=0)) + 2
    for label, value in lines:
        first, *others = _wrapped(printable(value), max(20, width - margin)) or [""]
        yield f"[bold]{escape(printable(label).ljust(margin - 2))}[/]  {escape(first)}"
        yield from (" " * margin + escape(line) for line in others)


def next_steps(summary: Summary | None, run: str | None) -> Iterator[str]:
    """Commands to copy, each on a line of its own; those about a run folder only where there is one."""
    steps = [step for step in (summary.next_steps if summary else ()) if run is not None or "{run}" not in step]
    if steps:
        yield ""
        yield "[bold]Next:[/]"
    for step in steps:
        yield f"  {escape(printable(step.replace('{run}', shlex.quote(run or ''))))}"


def _wrapped(text: str, width: int) -> list[str]:
    """Lines broken at spaces only."""
    lines: list[str] = []
    for word in text.split(" "):
        if lines and len(lines[-1]) + 1 + len(word) <= width:
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    return lines
