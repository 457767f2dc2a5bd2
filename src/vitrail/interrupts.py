"""Ctrl-C, SIGTERM and SIGHUP in the middle of long work: what is finished counts.

A scheduler's notice (SIGTERM) and a terminal that is closed (SIGHUP) do what Ctrl-C does, where a face asks for it with
`stop_on_signals`: KeyboardInterrupt, then the exit code of that signal. A second one ends the process at once.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from typing import Any, Self, TypeVar

from vitrail.events import Event, Note

Shown = TypeVar("Shown", bound=Event)

INTERRUPTED = 130
"""Exit code of a process that Ctrl-C ended, as shells have it."""


_STOPPING = [number for name in ("SIGTERM", "SIGHUP") if (number := getattr(signal, name, None)) is not None]
_received: list[int] = []


def stop_on_signals() -> None:
    """SIGTERM and SIGHUP raise KeyboardInterrupt from now on, except one that is ignored, as under `nohup`."""
    for number in _STOPPING:
        if signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, _stop)


def stop_code() -> int | None:
    """The exit code of SIGTERM or SIGHUP, if one has arrived."""
    return 128 + _received[0] if _received else None


def _stop(number: int, frame: object) -> None:
    _note_signal(number)
    raise KeyboardInterrupt


def _note_signal(number: int) -> None:
    """Remembers which signal arrived; the second one ends the process, as it does by default."""
    if number not in _STOPPING:
        return
    if _received:
        signal.signal(number, signal.SIG_DFL)
        signal.raise_signal(number)
    _received.append(number)


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

    So with SIGTERM and SIGHUP, where they are taken for Ctrl-C. Outside the main thread, where no signal arrives, it
    does nothing.
    """

    def __init__(self) -> None:
        self.wanted = False
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            taken = [each for each in _STOPPING if signal.getsignal(each) in (_stop, signal.default_int_handler)]
            self._before = {number: signal.signal(number, self._note) for number in (signal.SIGINT, *taken)}
        return self

    def __exit__(self, *_: object) -> None:
        for number, before in self._before.items():
            signal.signal(number, before)

    def _note(self, number: int, frame: object) -> None:
        again, self.wanted = self.wanted, True
        if self._before.get(number) is _stop:
            _note_signal(number)
        if again:
            raise KeyboardInterrupt
