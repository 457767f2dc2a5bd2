"""Run folders: everything a task did, and how it is read again.

Always settings.json, environment.json, events.jsonl and result.json; where a task has any, plots/*.png, images/*.png,
tables/*.csv, weights/*.safetensors with *.json and a model card README.md, maps/*.npy, checkpoints/*.safetensors,
live/*.png (previews), shards/* and logs/*/ (of one shard each).
"""

from __future__ import annotations

import csv
import io
import json
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vitrail.errors import BadRun
from vitrail.files import AnyPath
from vitrail.reading import LIMITS, open_regular, plain_files, read_json, read_text
from vitrail.tables import unquote_formula
from vitrail.validation import check_path

MOST_EVENTS = 1_000_000  # read at once; later lines count as damaged

_CHECKPOINT_NAME = re.compile(r"step-\d{8,}\.safetensors")
_CHECKPOINT_START = re.compile(rb'.{8}\{"__metadata__":\{"(about|layout)":', re.DOTALL)


@dataclass(frozen=True)
class Run:
    """A run folder as read; `result` is None when the run did not end."""

    folder: Path
    task: str
    settings: Mapping[str, Any]
    environment: Mapping[str, Any]
    result: Mapping[str, Any] | None

    @property
    def images(self) -> list[Path]:
        """The images that were made, by name."""
        return plain_files(self.folder / "images", "png")

    @property
    def plots(self) -> list[Path]:
        """The plots, by name."""
        return plain_files(self.folder / "plots", "png")

    @property
    def tables(self) -> dict[str, list[dict[str, str]]]:
        """The tables by name: a mapping from column to text for each row."""
        tables = {}
        for path in plain_files(self.folder / "tables", "csv"):
            text = read_text(path, LIMITS["run table"], within=self.folder)
            columns, *rows = csv.reader(io.StringIO(text, newline="")) if text else [[]]
            names = [unquote_formula(name) for name in columns]
            tables[path.stem] = [dict(zip(names, map(unquote_formula, row), strict=False)) for row in rows if row]
        return tables


def read_run(folder: AnyPath, *, warnings: list[str] | None = None) -> Run:
    """The run in `folder`.

    Args:
        warnings: gets a sentence for each of result.json and environment.json that is missing or damaged, and the run
            is read without it; None: a damaged file is an error, a missing one is not.

    Raises:
        BadSetting: `folder` is no path.
        BadRun: `folder` is not a run, or its settings are damaged.
    """
    check_path("run", folder)
    folder = Path(folder)
    if not (folder / "settings.json").is_file():
        raise BadRun(f"{str(folder)!r} is not a run: it holds no settings.json. Use a folder that Vitrail made.")
    settings = _read(folder / "settings.json", LIMITS["settings"])
    if not isinstance(settings.get("task"), str) or not isinstance(settings.get("settings"), dict):
        raise BadRun(f"{str(folder / 'settings.json')!r} is damaged: it names no task. Repeat the run.")
    environment = _read_optional(folder / "environment.json", warnings, LIMITS["settings"])
    return Run(
        folder=folder,
        task=settings["task"],
        settings=settings["settings"],
        environment=environment or {},
        result=_read_optional(folder / "result.json", warnings),
    )


def read_runs(folders: Sequence[AnyPath]) -> list[Run]:
    """The runs in several folders, which are different ones.

    Raises:
        BadRun: a folder is not a run, or is given twice.
    """
    places: set[Path] = set()
    for folder in folders:
        check_path("run", folder)
        if Path(folder).resolve() in places:
            raise BadRun(f"{str(folder)!r} was given twice. Use different runs.", path=str(folder))
        places.add(Path(folder).resolve())
    return [read_run(folder) for folder in folders]


def read_result(folder: Path) -> dict[str, Any]:
    """The values in result.json; empty if there are none yet, or if the file is damaged."""
    return _read_optional(folder / "result.json", []) or {}


def is_checkpoint(path: Path) -> bool:
    """Whether a file is a checkpoint that `record` wrote: by its name, and by how it begins."""
    if not _CHECKPOINT_NAME.fullmatch(path.name):
        return False
    try:
        with open_regular(path, within=path.parent) as file:
            return _CHECKPOINT_START.match(file.read(100)) is not None
    except OSError:
        return False


class EventReader:
    """The events of a run, in the order in which they are written; reads while the run is still writing.

    Attributes:
        path: the events.jsonl.
        damaged: number of lines so far that are no events.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / "events.jsonl"
        self.damaged = 0
        self._offset = 0

    def read_new(self, *, unfinished_line: bool = False) -> list[dict[str, Any]]:
        """The events since the last call; damaged lines are counted and skipped.

        Args:
            unfinished_line: whether a last line without an end counts; without it, it is read by a later call.

        Raises:
            OSError: the file cannot be read; FileNotFoundError: nothing has been written yet.
        """
        with open_regular(self.path, within=self.path.parent) as file:
            file.seek(self._offset)
            data = file.read(LIMITS["events"])
        if not unfinished_line:
            data = data[: data.rfind(b"\n") + 1]
        self._offset += len(data)
        lines = [line for line in data.split(b"\n") if line]
        events = [event for line in lines[:MOST_EVENTS] if (event := _parse_event(line)) is not None]
        self.damaged += len(lines) - len(events)
        return events


def _parse_event(line: bytes) -> dict[str, Any] | None:
    try:
        event = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return event if isinstance(event, dict) and isinstance(event.get("event"), str) else None


def _read_optional(path: Path, warnings: list[str] | None, limit: int = LIMITS["result"]) -> dict[str, Any] | None:
    if not os.path.lexists(path):
        if warnings is not None:
            warnings.append(f"{path.name} is missing: the run may have been stopped early.")
        return None
    try:
        values = _read(path, limit)
        if not values:
            raise BadRun(f"{str(path)!r} is empty. Repeat the run.", path=str(path))
        return values
    except BadRun as error:
        if warnings is None:
            raise
        warnings.append(str(error).replace(repr(str(path)), path.name))
        return None


def _read(path: Path, limit: int) -> dict[str, Any]:
    try:
        value = read_json(path, limit, within=path.parent)
    except OSError as error:
        raise BadRun(f"{str(path)!r} cannot be read ({error.strerror}). Use an intact copy of the run.") from None
    except ValueError as error:
        raise BadRun(f"{str(path)!r} is damaged ({error}). Repeat the run.") from None
    if not isinstance(value, dict):
        raise BadRun(f"{str(path)!r} is damaged: an object was expected, got {type(value).__name__}. Repeat the run.")
    return value
