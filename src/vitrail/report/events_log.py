"""What a run said while it ran, from its events.jsonl."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any


@dataclass(frozen=True)
class Log:
    """What the report shows of the events.

    Attributes:
        titles: file name of an image or table -> its caption or title, in the order in which they were made.
        notes: sentences for the user.
        stopped: why the run ended early; empty when it did not.
    """

    titles: Mapping[str, str]
    notes: Sequence[str]
    stopped: str = ""


def read_log(path: Path, faults: list[str]) -> Log:
    """The events in `path`; a line that cannot be read is counted in `faults` and passed over."""
    titles: dict[str, str] = {}
    notes: list[str] = []
    stopped, damaged = "", 0
    for line in _lines(path, faults):
        match _event(line):
            case {"event": "plot" | "image", "file": str(file), "caption": str(title)}:
                titles[PurePosixPath(file).name] = title
            case {"event": "table", "file": str(file), "title": str(title)}:
                titles[PurePosixPath(file).name] = title
            case {"event": "note", "text": str(text)}:
                notes.append(text)
            case {"event": "result"}:
                stopped = ""  # it was gone on with, and ended
            case {"event": "stopped", "why": str(why), **rest}:
                stopped = f"{why}: {rest['message']}" if rest.get("message") else why
            case None:
                damaged += 1
    if damaged:
        faults.append(f"{path.name} is damaged: {damaged} of its lines cannot be read.")
    return Log(titles, notes, stopped)


def _lines(path: Path, faults: list[str]) -> list[bytes]:
    try:
        return path.read_bytes().splitlines()
    except FileNotFoundError:
        faults.append(f"{path.name} is missing: captions and titles are file names.")
    except OSError as error:
        faults.append(f"{path.name} cannot be read ({error.strerror}).")
    return []


def _event(line: bytes) -> Any:
    try:
        return json.loads(line)
    except (ValueError, RecursionError):
        return None
