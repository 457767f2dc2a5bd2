"""A run folder as the report shows it: what is missing or damaged becomes a sentence, the rest is still worth seeing.

A run folder may come from somebody else. Only plain files in their usual places are opened: never a path that a file
of the run names, never through a link.
"""

import csv
from base64 import b64encode
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from vitrail.errors import BadRun
from vitrail.files import read_json
from vitrail.report.events_log import Log, read_log

ROWS_SHOWN = 50
_IMAGE_LIMIT = 20_000_000  # bytes; a page with more cannot be opened on a phone
_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"


@dataclass(frozen=True)
class Figure:
    """A PNG with what it shows; `source` is a data: address, the image itself, `name` its file's without ending."""

    caption: str
    source: str
    name: str = ""


@dataclass(frozen=True)
class Sheet:
    """The first rows of a table; `total` says how many there are."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Any]]
    total: int


@dataclass(frozen=True)
class Reading:
    """All that the report shows of a run.

    Attributes:
        weights: file name -> bytes.
        faults: sentences, one for each thing that could not be read.
    """

    folder: Path
    task: str
    settings: Mapping[str, Any]
    environment: Mapping[str, Any]
    result: Mapping[str, Any]
    log: Log
    figures: Sequence[Figure]
    sheets: Sequence[Sheet]
    weights: Mapping[str, int]
    faults: Sequence[str]


def read(folder: Path) -> Reading:
    """The run in `folder`, as much of it as can be read.

    Raises:
        BadRun: there is no settings.json that names a task.
    """
    faults: list[str] = []
    task, settings = _asked(folder)
    log = read_log(folder / "events.jsonl", faults)
    return Reading(
        folder=folder,
        task=task,
        settings=settings,
        environment=_object(folder / "environment.json", faults),
        result=_object(folder / "result.json", faults),
        log=log,
        figures=list(_figures(folder, log.titles, faults)),
        sheets=list(_sheets(folder / "tables", log.titles, faults)),
        weights={path.name: path.stat().st_size for path in _plain_files(folder / "weights", "safetensors", {})},
        faults=faults,
    )


def figure(caption: str, png: bytes, name: str = "") -> Figure:
    """A PNG as a figure that needs no file beside the page."""
    return Figure(caption, "data:image/png;base64," + b64encode(png).decode("ascii"), name)


def _asked(folder: Path) -> tuple[str, Mapping[str, Any]]:
    path = folder / "settings.json"
    if not path.is_file():
        raise BadRun(f"{str(folder)!r} is not a run: it holds no settings.json; give a folder that vitrail made.")
    try:
        match read_json(path):
            case {"task": str(task), "settings": dict(settings)}:
                return task, settings
    except (OSError, ValueError) as error:
        raise BadRun(f"{str(path)!r} is damaged ({error}); make the run again.") from None
    raise BadRun(f"{str(path)!r} is damaged: it names no task; make the run again.")


def _object(path: Path, faults: list[str]) -> Mapping[str, Any]:
    try:
        content = read_json(path)
    except FileNotFoundError:
        faults.append(f"{path.name} is missing: the run may have been stopped before its end.")
    except (OSError, ValueError) as error:
        faults.append(f"{path.name} cannot be read ({error}).")
    else:
        if isinstance(content, dict):
            return content
        faults.append(f"{path.name} is damaged: an object was expected, got {type(content).__name__}.")
    return {}


def _figures(run: Path, captions: Mapping[str, str], faults: list[str]) -> Iterator[Figure]:
    both = [path for kind in ("plots", "images") for path in _plain_files(run / kind, "png", captions)]
    for path in _in_order(both, captions):
        name = f"{path.parent.name}/{path.name}"
        try:
            content = path.read_bytes() if path.stat().st_size <= _IMAGE_LIMIT else None
        except OSError as error:
            faults.append(f"{name} cannot be read ({error}).")
            continue
        if content is None:
            faults.append(f"{name} is left out: it is larger than {_IMAGE_LIMIT // 1_000_000} MB.")
        elif not content.startswith(_PNG_SIGNATURE):
            faults.append(f"{name} is damaged: it is no PNG.")
        else:
            yield figure(captions.get(path.name) or path.stem, content, path.stem)


def _sheets(folder: Path, titles: Mapping[str, str], faults: list[str]) -> Iterator[Sheet]:
    for path in _plain_files(folder, "csv", titles):
        try:
            with path.open(encoding="utf-8", newline="") as file:
                lines = csv.reader(file)
                columns = next(lines, [])
                rows = list(islice(lines, ROWS_SHOWN))
                total = len(rows) + sum(1 for _ in lines)
        except (OSError, ValueError, csv.Error) as error:
            faults.append(f"tables/{path.name} cannot be read ({error}).")
        else:
            yield Sheet(titles.get(path.name) or path.stem, columns, rows, total)


def _plain_files(folder: Path, ending: str, order: Mapping[str, str]) -> list[Path]:
    """The folder's own files: in the order in which the run made them, then those it does not mention, by name."""
    if folder.is_symlink():
        return []
    found = (path for path in folder.glob(f"*.{ending}") if path.is_file() and not path.is_symlink())
    return _in_order(found, order)


def _in_order(found: Iterable[Path], order: Mapping[str, str]) -> list[Path]:
    rank = {name: place for place, name in enumerate(order)}
    return sorted(found, key=lambda path: (rank.get(path.name, len(rank)), path.name))
