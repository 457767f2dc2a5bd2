"""Run folders: everything a task did, stored so that it can be read, compared and repeated.

Always settings.json, environment.json, events.jsonl and result.json; where a task has any, plots/*.png, images/*.png,
tables/*.csv, weights/*.safetensors with *.json and a model card README.md, maps/*.npy, checkpoints/*.safetensors,
live/*.png (previews), shards/* and logs/*/ (of one shard each).
"""

from __future__ import annotations

import csv
import io
import json
import math
import platform
import re
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

from vitrail import files
from vitrail.errors import BadRun, CannotWrite
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
from vitrail.task import Task
from vitrail.validation import check_path
from vitrail.version import __version__

LIBRARIES = (
    *("torch", "torchvision", "numpy", "scipy", "scikit-learn", "pillow", "openvino", "timm", "matplotlib"),
    *("onnx", "onnxruntime"),
)


def record(task: Task, name: str, folder: Path) -> Iterator[Event]:
    """Runs `task` and keeps what it yields in `folder`, passing every event on.

    The `Result` that comes out has `task`, `seed` and `run` added. Whatever stops the run, what was
    yielded before is whole on the disk, and `events.jsonl` says what happened.

    Raises:
        BadSetting: `folder` is no path.
        CannotWrite: `folder` exists and is not empty, or cannot be written.
    """
    check_path("run", folder)
    home, folder = folder, task.log_folder(folder)
    if task.resume_folder is None and not task.resumes(folder, same_task=_same_task(folder, name)):
        create_run_folder(folder)
    settings = task.model_dump(mode="json", exclude=set(task.unrecorded) if task.resume_folder else None)
    files.write_json(folder / "settings.json", {"task": name, "settings": settings})
    files.write_json(folder / "environment.json", environment())

    def recorded(event: Event) -> Event:
        if isinstance(event, Result):
            event = Result({"task": name, **_seed(task), "run": str(home), **event.values})
        write_event(event, folder)
        return event

    try:
        yield from _recorded_events(task.run_in(home), recorded)
    except BaseException as error:
        with suppress(CannotWrite):  # what stopped the run is what matters, and not that the log has no room for it
            _log(folder, {"event": "stopped", "why": type(error).__name__, "message": str(error)})
        raise


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


def create_run_folder(folder: Path) -> None:
    """Makes `folder` for a new run; nothing of an earlier one is ever overwritten."""
    if folder.exists() and not (folder.is_dir() and all(map(files.is_leftover, folder.iterdir()))):
        raise CannotWrite(f"The run folder {str(folder)!r} exists and is not empty; choose another with --run.")
    files.make_folder(folder)


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


def write_event(event: Event, folder: Path) -> None:
    """Writes one event: a line in events.jsonl, and its file if it has one."""
    line: dict[str, Any]
    match event:
        case Progress():
            line = {"stage": event.stage, "done": event.done, "total": event.total, "detail": event.detail}
            line |= {"values": json_safe(event.values)} if event.values else {}
        case Note():
            line = {"text": event.text, "kind": event.kind, **({"path": event.path} if event.path else {})}
        case Table():
            line = {"file": _keep_table(event, folder), "title": event.title}
        case Plot():
            plot = f"plots/{safe_name(event.name)}.png"
            files.write_bytes(folder / plot, event.png)
            line = {"file": plot, "caption": event.caption}
        case Image():
            image = f"images/{safe_name(event.name)}.png"
            files.write_bytes(folder / image, event.png)
            line = {"file": image, "caption": event.caption, "group": event.group, "step": event.step}
        case Preview():
            preview = f"live/{safe_name(event.name)}.png"
            files.write_bytes(folder / preview, event.png)
            line = {"file": preview, "values": json_safe(event.values)}
        case Attachment():
            attached = f"{safe_name(event.folder)}/{safe_name(event.name)}"
            files.write_bytes(folder / attached, event.data)
            line = {"file": attached}
        case Weights():
            line = {"file": _keep_weights(event, folder)}
        case Checkpoint():
            line = {"file": _keep_checkpoint(event, folder)}
        case Summary():
            line = {"lines": [list(each) for each in event.lines], "next_steps": list(event.next_steps)}
        case Result():
            line = {"file": "result.json"}
            files.write_json(folder / "result.json", event.values)
    _log(folder, {"event": type(event).__name__.lower(), **line})


def _keep_table(table: Table, folder: Path) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([table.columns, *table.rows])
    name = f"tables/{safe_name(table.name)}.csv"
    files.write_text(folder / name, text.getvalue())
    return name


def _keep_checkpoint(checkpoint: Checkpoint, folder: Path) -> str:
    home = folder / "checkpoints"
    files.write_bytes(home / checkpoint.name, checkpoint.data)
    for old in home.iterdir():
        if old.name not in checkpoint.retained and not old.name.startswith("."):
            old.unlink(missing_ok=True)
    files.remove_leftovers(home)
    return f"checkpoints/{checkpoint.name}"


def _keep_weights(weights: Weights, folder: Path) -> str:
    import numpy as np
    from safetensors.numpy import save

    name = f"weights/{safe_name(weights.name)}"
    # Of an array in another order than C's, `save` would write the bytes as they lie, and another array comes back.
    tensors = {key: np.asarray(value, order="C") for key, value in weights.tensors.items()}
    files.write_bytes(folder / f"{name}.safetensors", save(tensors))
    files.write_json(folder / f"{name}.json", weights.description)
    if weights.model_card:
        files.write_text(folder / "README.md", weights.model_card)
    return f"{name}.safetensors"


def json_safe(values: Mapping[str, float]) -> dict[str, float | None]:
    """The values as JSON can say them: null for what is no number."""
    return {name: value if math.isfinite(value) else None for name, value in values.items()}


def safe_name(name: str) -> str:
    """A name as files in a run folder can have it."""
    return re.sub(r"[^\w.-]", "_", name) or "_"


def _seed(task: Task) -> dict[str, int]:
    return {"seed": task.seed} if hasattr(task, "seed") else {}


def _log(folder: Path, line: Mapping[str, Any]) -> None:
    timed = {"time": datetime.now(UTC).isoformat(timespec="milliseconds"), **line}
    files.append_line(folder / "events.jsonl", json.dumps(timed, ensure_ascii=False))


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
