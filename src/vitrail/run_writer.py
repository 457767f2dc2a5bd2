"""Run folders as they are written: settings first, then every event with its files as it comes, the result last."""

from __future__ import annotations

import csv
import io
import json
import math
import os
import platform
import re
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

from vitrail import files
from vitrail.devices import missing_operations_as_bad_settings
from vitrail.errors import CannotWrite, VitrailError
from vitrail.events import (
    Attachment,
    Checkpoint,
    Event,
    Image,
    Note,
    Plot,
    Preview,
    Progress,
    Result,
    Summary,
    Table,
    Weights,
)
from vitrail.reading import plain_files
from vitrail.runs import is_checkpoint, read_run
from vitrail.tables import quote_formula
from vitrail.task import Task
from vitrail.validation import check_path
from vitrail.version import __version__

LIBRARIES = (
    *("torch", "torchvision", "numpy", "scipy", "scikit-learn", "pillow", "openvino", "timm", "matplotlib"),
    *("onnx", "onnxruntime"),
)

PATIENCE = 1_000
"""Notes and progress of a resumed run, such as those of reading its data, before its first file is made."""


def record(task: Task, name: str, folder: Path, *, is_ours: bool = False) -> Iterator[Event]:
    """Runs `task` and keeps what it yields in `folder`, passing every event on.

    The `Result` that comes out has `task`, `seed` and `run` added. Of a new run that an error ends before it has
    made a file, nothing stays; in an earlier run nothing is changed before a task has something new to keep.
    Whatever stops a run after that, what was yielded before is whole on the disk, and `events.jsonl` says what
    happened.

    Args:
        is_ours: whether `folder` was made for this run, and goes too if nothing stays.
    Raises:
        BadSetting: `folder` is no path.
        CannotWrite: `folder` exists and is not empty, or cannot be written.
    """
    check_path("run", folder)
    home, folder = folder, task.log_folder(folder)
    is_new = task.resume_folder is None and not task.resumes(folder, same_task=_same_task(folder, name))
    made = [folder] * is_ours + (create_run_folder(folder) if is_new else [])
    settings = task.model_dump(mode="json", exclude=set(task.unrecorded) if task.resume_folder else None)
    log = _Log(folder, home, {"task": name, "settings": settings}, patience=0 if is_new else PATIENCE)

    def recorded(event: Event) -> Event:
        if isinstance(event, Result):
            event = Result({"task": name, **_seed(task), "run": str(home), **event.values})
        log.add(event)
        return event

    try:
        with missing_operations_as_bad_settings():
            yield from _recorded_events(task.run_in(home), recorded)
    except BaseException as error:
        if is_new and not log.has_files and isinstance(error, VitrailError):
            log.remove(made)
        elif log.has_begun:
            with suppress(CannotWrite):  # what stopped the run is what matters, not that the log has no room for it
                _write_line(folder, {"event": "stopped", "why": type(error).__name__, "message": str(error)}, home)
        raise


class _Log:
    """What a run has written so far.

    Args:
        folder: of the log.
        home: the run folder, which holds it.
        settings: the content of `settings.json`.
        patience: notes and progress that are kept back at the beginning.
    """

    def __init__(self, folder: Path, home: Path, settings: Mapping[str, Any], patience: int) -> None:
        self._folder, self._home, self._settings, self._patience = folder, home, settings, patience
        self._early: list[Event] = []
        self.has_begun, self.has_files = False, False

    def add(self, event: Event) -> None:
        """Writes one event, or keeps it back; with the first one, the settings."""
        if isinstance(event, Note | Progress) and not self.has_begun and len(self._early) < self._patience:
            self._early.append(event)
            return
        if not self.has_begun:
            files.write_json(self._folder / "settings.json", self._settings, within=self._home)
            files.write_json(self._folder / "environment.json", self._environment(), within=self._home)
            self.has_begun = True
            for early in self._early:
                write_event(early, self._folder, within=self._home)
        self.has_files |= not isinstance(event, Note | Progress)
        write_event(event, self._folder, within=self._home)

    def _environment(self) -> dict[str, Any]:
        return {**environment(), "working_directory": _seen_from(self._folder)}

    def remove(self, made: Sequence[Path]) -> None:
        """Removes what was written, and the folders `made` for it that are empty then."""
        for name in ("settings.json", "environment.json", "events.jsonl"):
            files.remove_file(self._folder / name, within=self._home)
        for folder in made:
            files.remove_empty_folder(folder)


def _recorded_events(events: Iterator[Event], recorded: Callable[[Event], Event]) -> Iterator[Event]:
    """The events as they are kept; Ctrl-C while one is written is for the task, which knows what is finished."""
    pressed: KeyboardInterrupt | None = None
    while True:
        try:
            event = events.throw(pressed) if pressed and isinstance(events, Generator) else next(events)
        except StopIteration:
            return
        pressed = None
        try:
            event = recorded(event)
        except KeyboardInterrupt as interrupt:
            event, pressed = recorded(event), interrupt
        yield event


def create_run_folder(folder: Path) -> list[Path]:
    """Makes `folder` for a new run; nothing of an earlier one is ever overwritten.

    Returns:
        It, and each folder above it that was made too, in the order in which they may be removed.
    """
    made = [each for each in (folder, *folder.parents) if not each.exists()]
    if folder.exists() and not (folder.is_dir() and all(map(files.is_leftover, folder.iterdir()))):
        raise CannotWrite(f"The run folder {str(folder)!r} exists and is not empty; choose another with --run.")
    files.make_folder(folder)
    return made


def _same_task(folder: Path, name: str) -> bool | None:
    """Whether `folder` is that of an earlier run of the task `name`; None: it holds no run."""
    return read_run(folder).task == name if (folder / "settings.json").is_file() else None


def new_folder(root: Path, task: str) -> Path:
    """A new folder below `root`, called like the task and the time; it is empty, and no other process gets it.

    Raises:
        CannotWrite: it cannot be made.
    """
    stamp = f"{task}-{datetime.now():%Y%m%d-%H%M%S}"
    names = (stamp if count == 1 else f"{stamp}-{count}" for count in range(1, 10_000))
    return next(root / name for name in names if files.make_new_folder(root / name))


def write_event(event: Event, folder: Path, *, within: Path | None = None) -> None:
    """Writes one event: a line in events.jsonl, and its file if it has one.

    Args:
        within: the run folder, if `folder` is that of the log of one of its shards.
    """
    line: dict[str, Any]
    within = within or folder
    match event:
        case Progress():
            line = {"stage": event.stage, "done": event.done, "total": event.total, "detail": event.detail}
            line |= {"values": json_safe(event.values)} if event.values else {}
        case Note():
            line = {"text": event.text, "kind": event.kind, **({"path": event.path} if event.path else {})}
        case Table():
            line = {"file": _keep_table(event, folder, within), "title": event.title}
        case Plot():
            plot = f"plots/{safe_name(event.name)}.png"
            files.write_bytes(folder / plot, event.png, within=within)
            line = {"file": plot, "caption": event.caption}
        case Image():
            image = f"images/{safe_name(event.name)}.png"
            files.write_bytes(folder / image, event.png, within=within)
            line = {"file": image, "caption": event.caption, "group": event.group, "step": event.step}
        case Preview():
            preview = f"live/{safe_name(event.name)}.png"
            files.write_bytes(folder / preview, event.png, within=within)
            line = {"file": preview, "values": json_safe(event.values)}
        case Attachment():
            attached = "/".join(safe_name(part) for part in (event.folder, event.name) if part)
            files.write_bytes(folder / attached, event.data, within=within)
            line = {"file": attached}
        case Weights():
            line = {"file": _keep_weights(event, folder, within)}
        case Checkpoint():
            line = {"file": _keep_checkpoint(event, folder, within)}
        case Summary():
            line = {"lines": [list(each) for each in event.lines], "next_steps": list(event.next_steps)}
        case Result():
            line = {"file": "result.json"}
            files.write_json(folder / "result.json", event.values, within=within)
    _write_line(folder, {"event": type(event).__name__.lower(), **line}, within)


def _keep_table(table: Table, folder: Path, within: Path) -> str:
    text = io.StringIO()
    plain, with_returns = (csv.writer(text, lineterminator=end) for end in ("\n", "\r\n"))
    for row in (table.columns, *table.rows):
        # The writer puts quotes around the signs of its own line end only, and a reader takes each for an end.
        writer = with_returns if any("\r" in cell for cell in row if isinstance(cell, str)) else plain
        writer.writerow([quote_formula(cell) for cell in row])
    name = f"tables/{safe_name(table.name)}.csv"
    files.write_text(folder / name, text.getvalue(), within=within)
    return name


def _keep_checkpoint(checkpoint: Checkpoint, folder: Path, within: Path) -> str:
    home = folder / "checkpoints"
    files.write_bytes(home / checkpoint.name, checkpoint.data, within=within)
    for old in plain_files(home, "safetensors"):
        if old.name not in checkpoint.retained and is_checkpoint(old):
            files.remove_file(old, within=within)
    files.remove_leftovers(home, within=within)
    return f"checkpoints/{checkpoint.name}"


def _keep_weights(weights: Weights, folder: Path, within: Path) -> str:
    import numpy as np
    from safetensors.numpy import save

    name = f"weights/{safe_name(weights.name)}"
    # Of an array in another order than C's, `save` would write the bytes as they lie, and another array comes back.
    tensors = {key: np.asarray(value, order="C") for key, value in weights.tensors.items()}
    files.write_bytes(folder / f"{name}.safetensors", save(tensors), within=within)
    files.write_json(folder / f"{name}.json", weights.description, within=within)
    if weights.model_card:
        files.write_text(folder / "README.md", weights.model_card, within=within)
    return f"{name}.safetensors"


def json_safe(values: Mapping[str, float]) -> dict[str, float | None]:
    """The values as JSON can say them: null for what is no number."""
    return {name: value if math.isfinite(value) else None for name, value in values.items()}


def safe_name(name: str) -> str:
    """A name as files in a run folder can have it."""
    return re.sub(r"[^\w.-]", "_", name) or "_"


def _seed(task: Task) -> dict[str, int]:
    return {"seed": task.seed} if hasattr(task, "seed") else {}


def _write_line(folder: Path, line: Mapping[str, Any], within: Path) -> None:
    timed = {"time": datetime.now(UTC).isoformat(timespec="milliseconds"), **line}
    files.append_line(folder / "events.jsonl", json.dumps(timed, ensure_ascii=False), within=within)


def _seen_from(folder: Path) -> str:
    """The working directory from a run folder: it stays right where both are moved, and names no more than it must."""
    here = os.path.realpath(".")
    try:
        return Path(os.path.relpath(here, os.path.realpath(folder))).as_posix()
    except ValueError:  # on another disk of Windows
        return here


def environment() -> dict[str, Any]:
    """Versions and machine, without importing the libraries."""
    versions = {name: version for name in LIBRARIES if (version := _version(name))}
    return {
        "vitrail": __version__,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "processor": platform.machine(),
        "libraries": versions,
    }


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None
