"""The state of a run, read from its folder while this server or a command line is writing there."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from vitrail.events import Image, Progress
from vitrail.reading import LIMITS, read_bytes
from vitrail.run_writer import safe_name
from vitrail.runs import EventReader, read_result

MAX_COUNT = 10**15  # a stage with more steps is damaged


@dataclass
class RunMonitor:
    """What a run has reported so far; `refresh` reads what is new.

    Attributes:
        progress: the last `Progress`.
        previews: name -> the values of each preview, in order.
        curve: the values of each `Progress` that had any, in order.
        notes: sentences for the user.
        images: path in the run folder -> the `Image` without its content, in the order of the events; plots too.
        stopped_early: whether the task reported that it was stopped and kept what was finished.
        finished: whether the run has ended, with a result or not.
        error: why the run ended without a result; empty otherwise.
    """

    folder: Path
    progress: Progress | None = None
    previews: dict[str, list[dict[str, float]]] = field(default_factory=dict)
    curve: list[dict[str, float]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    images: dict[str, Image] = field(default_factory=dict)
    stopped_early: bool = False
    finished: bool = False
    error: str = ""
    _stage_start: tuple[float, int] = (0.0, 0)

    def __post_init__(self) -> None:
        self._reader = EventReader(self.folder)

    def refresh(self) -> bool:
        """Reads what was written since the last call; returns whether there was anything."""
        try:
            events = self._reader.read_new()
        except OSError:  # nothing has been written yet, or it is no plain file
            return False
        for event in events:
            self._take(event)
        return bool(events)

    def result(self) -> dict[str, Any]:
        """The values of the result; empty before the end."""
        return read_result(self.folder)

    def group(self, name: str) -> list[tuple[str, Image]]:
        """The images of a group with their paths in the run folder, by step."""
        return sorted(
            (each for each in self.images.items() if each[1].group == name), key=lambda each: each[1].step or 0
        )

    def seconds_left(self) -> float | None:
        """Estimated time until the current stage ends; None if it cannot be estimated."""
        if self.progress is None or not self.progress.total or self.finished:
            return None
        start, first = self._stage_start
        done = self.progress.done - first
        return (time.monotonic() - start) / done * (self.progress.total - self.progress.done) if done > 0 else None

    def preview(self, name: str) -> bytes:
        """The last preview of that name, a PNG; empty if there is none."""
        try:
            return read_bytes(self.folder / "live" / f"{safe_name(name)}.png", LIMITS["figure"], within=self.folder)
        except (OSError, ValueError):
            return b""

    def _take(self, event: dict[str, Any]) -> None:
        match event:
            case {"event": "progress", "stage": str(), "done": int(done), "total": int() | None as total}:
                if max(done, total or 0) < MAX_COUNT:
                    self._take_progress(event)
            case {"event": "preview", "file": str(file), "values": dict(values)}:
                self.previews.setdefault(Path(file).stem, []).append(_finite_values(values))
            case {"event": "note", "text": str(text), **details}:
                self.notes.append(text)
                self.stopped_early |= details.get("kind") == "stopped"
            case {"event": "plot" | "image" as kind, "file": str(file), "caption": str(caption)}:
                path = f"{kind}s/{Path(file).name}"  # never a path that a file of the run names
                self.images[path] = _image(Path(file).stem, caption, event)
            case {"event": "stopped", "why": str(why), **details}:
                self.finished, self.error = True, str(details.get("message") or why)
            case {"event": "result"}:
                self.finished = True

    def _take_progress(self, event: dict[str, Any]) -> None:
        stage, done, values = event["stage"], event["done"], _finite_values(event.get("values"))
        if self.progress is None or self.progress.stage != stage:
            self._stage_start = time.monotonic(), done
        self.progress = Progress(stage, done, event["total"], detail=str(event.get("detail", "")), values=values)
        self.stopped_early, self.finished, self.error = False, False, ""  # a stopped run was resumed
        if values:
            self.curve.append(values)


def _image(name: str, caption: str, event: dict[str, Any]) -> Image:
    group, step = event.get("group"), event.get("step")
    if isinstance(group, str) and isinstance(step, int) and abs(step) < MAX_COUNT:
        return Image(name, caption, b"", group, step)
    return Image(name, caption, b"")


def _finite_values(values: Any) -> dict[str, Any]:
    """The values that can be plotted, and None for those that are known to be undefined."""
    given = values.items() if isinstance(values, dict) else ()
    return {name: value for name, value in given if value is None or _is_finite(value)}


def _is_finite(value: Any) -> bool:
    try:
        return isinstance(value, (int, float)) and math.isfinite(value)
    except OverflowError:  # an integer beyond the range of a float
        return False
