"""Progress on a terminal: one line that moves; in a file, a line now and then."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, TaskID, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bars

from vitrail.cli.text import printable
from vitrail.events import Progress
from vitrail.formatting import duration

SECONDS_BETWEEN_LINES = 5
SECONDS_OF_MEASUREMENT = 5  # after which a stage's pace is known
LONG = 60  # seconds left from which a run is said to be long
BAR = 18
REMAINING = len("0:00:00")

SHORTENING = {
    "attack": ("--steps", "--backbone"),
    "audit": ("--max-images",),
    "classify": ("--backbone",),
    "explain": ("--no-faithfulness", "--samples"),
    "gan-edit": ("--inversion-steps",),
    "gan-evaluate": ("--samples",),
    "gan-interpolate": ("--steps",),
    "gan-sweep": ("--epochs", "--max-images", "--size"),
    "gan-train": ("--epochs", "--max-images", "--size"),
    "predict": ("--shards",),
    "reproduce": ("--budget",),
    "transfer": ("--backbone",),
    "visualise": ("--steps", "--size"),
}
"""Options that make a long run of a task shorter."""


class ProgressLines:
    """The bar of the stage that is being worked on; elsewhere one line every few seconds and at each stage's end.

    A finished or an abandoned bar disappears. Before anything else is printed, `pause` takes the bar away; the next
    update brings it back below what was printed.

    Of the first stage that is long, a line says how long it will take, and which options shorten such a run.

    Args:
        shortening: these options.
    """

    def __init__(self, console: Console, shortening: Sequence[str] = ()) -> None:
        self._console, self._shortening = console, shortening
        self._told, self._timed, self._began, self._first, self._last_done = False, "", 0.0, 0, 0
        self._live = False
        self._bars: Bars | None = None
        self._task = TaskID(0)
        self._stage = ""
        self._last = time.monotonic()

    def start(self) -> None:
        """From now on there may be a bar, if stderr is a terminal; the first while torch is imported, for seconds."""
        self._live = self._console.is_terminal and not self._console.is_dumb_terminal
        if self._live:
            self._open("starting", total=None).start()

    def stop(self) -> None:
        """No more bars."""
        self.pause()
        self._live = False

    def pause(self) -> None:
        """Takes the bar off the terminal."""
        if self._bars is not None and self._bars.live.is_started:
            self._bars.stop()

    def update(self, event: Progress) -> None:
        """Moves the stage's bar, or prints a line if it is time for one."""
        self._tell_if_long(event)
        if self._live:
            self._move(event)
        elif event.done == event.total or time.monotonic() - self._last > SECONDS_BETWEEN_LINES:
            self._last = time.monotonic()
            self._console.print(escape(printable(f"{event.stage}: {_count(event)} {event.detail}".rstrip())))

    def _tell_if_long(self, event: Progress) -> None:
        now = time.monotonic()
        if event.stage != self._timed or event.done < self._last_done:  # a stage of several passes begins anew
            self._timed, self._began, self._first = event.stage, now, event.done
        self._last_done = event.done
        done = event.done - self._first
        if self._told or event.total is None or done < 1 or now - self._began < SECONDS_OF_MEASUREMENT:
            return
        remaining = (now - self._began) * (event.total - event.done) / done
        if remaining >= LONG:
            self._told = True
            self.pause()
            options = " or ".join(filter(None, (", ".join(self._shortening[:-1]), *self._shortening[-1:])))
            how = f" Use {options} to shorten such a run." if options else ""
            self._console.print(escape(printable(f"{event.stage}: about {duration(remaining)} to go.{how}")))

    def _move(self, event: Progress) -> None:
        bars = self._bars
        if bars is None or event.stage != self._stage:
            bars = self._open(event.stage, event.total)
        if event.total is not None and event.done >= event.total:
            self.pause()
            return
        bars.start()
        label, count = _cut(event.stage, 28), _count(event)
        room = self._console.width - len(label) - len(count) - BAR - REMAINING - 6
        texts = {"label": label, "count": count, "detail": _cut(event.detail, max(room, 0))}
        fields: dict[str, Any] = {name: escape(printable(text)) for name, text in texts.items()}
        bars.update(self._task, completed=event.done, total=event.total, **fields)

    def _open(self, stage: str, total: int | None) -> Bars:
        """A bar of its own for a stage, in place of the one before; it is not shown yet."""
        self.pause()
        self._bars, self._stage = self._new_bars(), stage
        self._task = self._bars.add_task("", total=total, label=escape(stage), count="", detail="")
        return self._bars

    def _new_bars(self) -> Bars:
        # No redirection: it would send what other parts print on stdout to stderr.
        return Bars(
            TextColumn("{task.fields[label]}"),
            BarColumn(BAR),
            TextColumn("{task.fields[count]}"),
            TimeRemainingColumn(),
            TextColumn("{task.fields[detail]}"),
            console=self._console,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
        )


def _count(event: Progress) -> str:
    return f"{event.done:,}{f'/{event.total:,}' if event.total is not None else ''} {event.unit}"


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else f"{text[: max(width - 1, 0)]}…"[:width]
