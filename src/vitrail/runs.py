"""Run folders: everything a task did, and how it is read again.

Always settings.json, environment.json, events.jsonl and result.json; where a task has any, plots/*.png, images/*.png,
tables/*.csv, weights/*.safetensors with *.json and a model card README.md, maps/*.npy, checkpoints/*.safetensors,
live/*.png (previews), shards/* and logs/*/ (of one shard each).
"""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vitrail import files
from vitrail.errors import BadRun
from vitrail.validation import check_path


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
            with path.open(newline="", encoding="utf-8") as file:
                tables[path.stem] = list(csv.DictReader(file))
        return tables


def read_run(folder: files.AnyPath, *, warnings: list[str] | None = None) -> Run:
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
    settings = _read(folder / "settings.json")
    if not isinstance(settings.get("task"), str) or not isinstance(settings.get("settings"), dict):
        raise BadRun(f"{str(folder / 'settings.json')!r} is damaged: it names no task. Repeat the run.")
    environment = _read_optional(folder / "environment.json", warnings)
    return Run(
        folder=folder,
        task=settings["task"],
        settings=settings["settings"],
        environment=environment or {},
        result=_read_optional(folder / "result.json", warnings),
    )


def read_runs(folders: Sequence[files.AnyPath]) -> list[Run]:
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
        with self.path.open("rb") as file:
            file.seek(self._offset)
            data = file.read()
        if not unfinished_line:
            data = data[: data.rfind(b"\n") + 1]
        self._offset += len(data)
        events = [_parse_event(line) for line in data.split(b"\n") if line]
        self.damaged += events.count(None)
        return [event for event in events if event is not None]


def plain_files(folder: Path, ending: str) -> list[Path]:
    """Files with an ending directly in a folder, by name; symbolic links are ignored, since they can lead anywhere."""
    if folder.is_symlink():
        return []
    return sorted(path for path in folder.glob(f"*.{ending}") if path.is_file() and not path.is_symlink())


def _parse_event(line: bytes) -> dict[str, Any] | None:
    try:
        event = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return event if isinstance(event, dict) and isinstance(event.get("event"), str) else None


def _read_optional(path: Path, warnings: list[str] | None) -> dict[str, Any] | None:
    if not path.is_file():
        if warnings is not None:
            warnings.append(f"{path.name} is missing: the run may have been stopped early.")
        return None
    try:
        values = _read(path)
        if not values:
            raise BadRun(f"{str(path)!r} is empty. Repeat the run.", path=str(path))
        return values
    except BadRun as error:
        if warnings is None:
            raise
        warnings.append(str(error).replace(repr(str(path)), path.name))
        return None


def _read(path: Path) -> dict[str, Any]:
    try:
        value = files.read_json(path)
    except OSError as error:
        raise BadRun(f"{str(path)!r} cannot be read ({error.strerror}). Use a copy on another disk.") from None
    except ValueError as error:
        raise BadRun(f"{str(path)!r} is damaged ({error}). Repeat the run.") from None
    if not isinstance(value, dict):
        raise BadRun(f"{str(path)!r} is damaged: an object was expected, got {type(value).__name__}. Repeat the run.")
    return value
