"""How a run stands, read from its folder while somebody works in it: this server, or a command line beside it."""

from __future__ import annotations

import json
import math
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from vitrail.events import Progress
from vitrail.files import read_json
from vitrail.runs import safe_name

MOST = 10**15  # steps of a part: more is no count


@dataclass
class Standing:
    """What a run has said so far; `read_on` takes in what is new.

    Attributes:
        progress: the last of them.
        previews: name -> figures of each look at it.
        curve: figures of the progress that had some, in order.
        notes: sentences.
        images: file name -> caption, in the order in which they were made.
        over: whether it has ended, by itself or not; `stopped` says why not by itself.
    """

    folder: Path
    progress: Progress | None = None
    previews: dict[str, list[dict[str, float]]] = field(default_factory=dict)
    curve: list[dict[str, float]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    images: dict[str, str] = field(default_factory=dict)
    over: bool = False
    stopped: str = ""
    _place: int = 0
    _part_began: tuple[float, int] = (0.0, 0)

    def read_on(self) -> bool:
        """Reads what was written since the last time; whether there was anything."""
        try:
            with (self.folder / "events.jsonl").open("rb") as file:
                file.seek(self._place)
                data = file.read()
        except FileNotFoundError:
            return False
        whole, _, _ = data.rpartition(b"\n")  # a line that is being written is read the next time
        if not whole:
            return False
        self._place += len(whole) + 1
        for line in whole.split(b"\n"):
            self._take(line)
        return True

    def result(self) -> dict[str, Any]:
        """The figures; empty before the end."""
        try:
            found: Any = read_json(self.folder / "result.json")
        except (OSError, ValueError):
            return {}
        return found if isinstance(found, dict) else {}

    def seconds_left(self) -> float | None:
        """Until the part that runs is done, if it goes on as it did since this page looked at it."""
        if self.progress is None or not self.progress.total or self.over:
            return None
        began, first = self._part_began
        done = self.progress.done - first
        return (time.monotonic() - began) / done * (self.progress.total - self.progress.done) if done > 0 else None

    def preview(self, name: str) -> bytes:
        """The last look at something; empty if there was none."""
        try:
            return (self.folder / "live" / f"{safe_name(name)}.png").read_bytes()
        except OSError:
            return b""

    def _take(self, line: bytes) -> None:
        try:
            event = json.loads(line)
        except (ValueError, RecursionError):
            return
        match event:
            case {"event": "progress", "stage": str(), "done": int(done), "total": int() | None as total}:
                if max(done, total or 0) < MOST:
                    self._go_on(event)
            case {"event": "preview", "file": str(file), "values": dict(figures)}:
                self.previews.setdefault(Path(file).stem, []).append(_numbers(figures))
            case {"event": "note", "text": str(text)}:
                self.notes.append(text)
            case {"event": "plot" | "image", "file": str(file), "caption": str(caption)}:
                folder = "plots" if event["event"] == "plot" else "images"  # never a path that a file of the run names
                self.images[f"{folder}/{Path(file).name}"] = caption
            case {"event": "stopped", "why": str(why), **rest}:
                self.over, self.stopped = True, str(rest.get("message") or why)
            case {"event": "result"}:
                self.over = True

    def _go_on(self, event: dict[str, Any]) -> None:
        part, done, figures = event["stage"], event["done"], _numbers(event.get("values"))
        if self.progress is None or self.progress.stage != part:
            self._part_began = time.monotonic(), done
        self.progress = Progress(part, done, event["total"], detail=str(event.get("detail", "")), values=figures)
        self.over, self.stopped = False, ""  # a run that was stopped is gone on with
        if figures:
            self.curve.append(figures)


def _numbers(figures: Any) -> dict[str, Any]:
    """Those figures that can be drawn, or are known to be none."""
    given = figures.items() if isinstance(figures, dict) else ()
    return {name: value for name, value in given if value is None or _is_number(value)}


def _is_number(value: Any) -> bool:
    try:
        return isinstance(value, (int, float)) and math.isfinite(value)
    except OverflowError:  # a whole number beyond any float
        return False
