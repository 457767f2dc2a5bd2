"""Ctrl-C in the middle of long work: what is finished counts."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from typing import Any, Self, TypeVar

from vitrail.events import Event, Note

Shown = TypeVar("Shown", bound=Event)

INTERRUPTED = 130
"""Exit code of a process that Ctrl-C ended, as shells have it."""


def until_stopped(events: Iterator[Shown], done: Callable[[], int], what: str = "image") -> Iterator[Shown | Note]:
    """`events`, until they end or Ctrl-C is pressed, which is passed on only if nothing is `done` yet.

    Args:
        what: is done, in the singular.
    """
    try:
        yield from events
    except KeyboardInterrupt:
        count = done()
        if not count:
            raise
        kept = f"1 {what} was finished and is kept" if count == 1 else f"{count} {what}s were finished and are kept"
        yield Note(f"Stopped: {kept}.", "stopped")


class Interrupts:
    """Ctrl-C as a wish: the first one only sets `wanted`, so that a step is not cut in two; a second one stops at once.

    So with SIGTERM, where it is taken for Ctrl-C. Outside the main thread, where no signal arrives, it does nothing.
    """

    def __init__(self) -> None:
        self.wanted = False
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            numbers = [signal.SIGINT]
            if signal.getsignal(signal.SIGTERM) is signal.default_int_handler:
                numbers.append(signal.SIGTERM)
            self._before = {number: signal.signal(number, self._note) for number in numbers}
        return self

    def __exit__(self, *_: object) -> None:
        for number, before in self._before.items():
            signal.signal(number, before)

    def _note(self, *_: object) -> None:
        if self.wanted:
            raise KeyboardInterrupt
        self.wanted = True
