"""What a report shows of a run's events."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from vitrail.runs import EventReader


@dataclass(frozen=True)
class Log:
    """Titles and notes of a run.

    Attributes:
        titles: file name of an image or table -> its caption or title, in the order of the events.
        groups: file name of an image that belongs to a group -> the group and the step.
        notes: sentences for the user.
        stopped: why the run ended early; empty if it did not.
        summary: label and value of each line of the summary; empty if there is none.
    """

    titles: Mapping[str, str]
    groups: Mapping[str, tuple[str, int | None]]
    notes: Sequence[str]
    stopped: str = ""
    summary: Sequence[tuple[str, str]] = ()


def read_log(folder: Path, warnings: list[str]) -> Log:
    """The log of the run in `folder`; `warnings` gets a sentence for a missing file and one for damaged lines."""
    titles: dict[str, str] = {}
    groups: dict[str, tuple[str, int | None]] = {}
    notes: list[str] = []
    stopped = ""
    summary: list[tuple[str, str]] = []
    for event in _read_events(folder, warnings):
        match event:
            case {"event": "plot" | "image", "file": str(file), "caption": str(title)}:
                name = PurePosixPath(file).name
                titles[name] = title
                match event:
                    case {"group": str(group), "step": int() | None as step} if group:
                        groups[name] = group, step
            case {"event": "table", "file": str(file), "title": str(title)}:
                titles[PurePosixPath(file).name] = title
            case {"event": "note", "text": str(text)}:
                notes.append(text)
            case {"event": "summary", "lines": list(lines)}:
                summary = [(str(label), str(value)) for label, value in filter(_is_pair, lines)]
            case {"event": "result"}:
                stopped = ""  # it was resumed, and finished
            case {"event": "stopped", "why": str(why), **rest}:
                stopped = f"{why}: {rest['message']}" if rest.get("message") else why
    return Log(titles, groups, notes, stopped, summary)


def _read_events(folder: Path, warnings: list[str]) -> list[dict[str, Any]]:
    reader = EventReader(folder)
    name = reader.path.name
    try:
        events = reader.read_new(unfinished_line=True)
    except FileNotFoundError:
        warnings.append(f"{name} is missing: file names replace captions and titles.")
        return []
    except OSError as error:
        warnings.append(f"{name} cannot be read ({error.strerror}).")
        return []
    if reader.damaged:
        warnings.append(f"{name} is damaged: {reader.damaged} of its lines cannot be read.")
    elif not events:
        warnings.append(f"{name} is empty: file names replace captions and titles.")
    return events


def _is_pair(line: object) -> bool:
    return isinstance(line, list) and len(line) == 2
