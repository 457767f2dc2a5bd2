"""Ctrl-C in the middle of many pictures: what is finished counts."""

from collections.abc import Callable, Iterator
from typing import TypeVar

from vitrail.events import Event, Note

Shown = TypeVar("Shown", bound=Event)


def until_stopped(events: Iterator[Shown], done: Callable[[], int]) -> Iterator[Shown | Note]:
    """`events`, until they end or Ctrl-C is pressed, which is passed on only if nothing is `done` yet."""
    try:
        yield from events
    except KeyboardInterrupt:
        count = done()
        if not count:
            raise
        kept = "1 picture was finished and is kept" if count == 1 else f"{count} pictures were finished and are kept"
        yield Note(f"Stopped: {kept}.")
