"""The contents of a run folder for a report; what is missing or damaged becomes a warning.

A run folder may come from another person. Only plain files in their usual places are opened: never a path that a file
of the run names, never through a symbolic link.
"""

import csv
from base64 import b64encode
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from vitrail.errors import one_line
from vitrail.reading import LIMITS, open_lines, plain_files, read_bytes
from vitrail.report.events_log import Log, read_log
from vitrail.runs import read_run
from vitrail.tables import unquote_formula

ROWS_SHOWN = 50
_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"


@dataclass(frozen=True)
class EmbeddedImage:
    """A PNG with its caption.

    Attributes:
        source: a data: URL that contains the image.
        name: the file's name without its ending.
        group, step: those of the `Image` event, such as "samples" and the epoch.
    """

    caption: str
    source: str
    name: str = ""
    group: str = ""
    step: int | None = None


@dataclass(frozen=True)
class ReportTable:
    """The first rows of a table; `total` is the number of all rows."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Any]]
    total: int


@dataclass(frozen=True)
class RunContents:
    """Everything that a report shows of a run.

    Attributes:
        weights: file name -> size in bytes.
        warnings: one sentence for each file that is missing or damaged, or not shown whole.
    """

    folder: Path
    task: str
    settings: Mapping[str, Any]
    environment: Mapping[str, Any]
    result: Mapping[str, Any]
    log: Log
    images: Sequence[EmbeddedImage]
    tables: Sequence[ReportTable]
    weights: Mapping[str, int]
    warnings: list[str]


def load_contents(folder: Path) -> RunContents:
    """The readable contents of the run in `folder`.

    Raises:
        BadRun: there is no settings.json that names a task.
    """
    warnings: list[str] = []
    run = read_run(folder, warnings=warnings)
    log = read_log(folder, warnings)
    return RunContents(
        folder=folder,
        task=run.task,
        settings=run.settings,
        environment=run.environment,
        result=run.result or {},
        log=log,
        images=list(_images(folder, log, warnings)),
        tables=list(_tables(folder / "tables", log.titles, warnings)),
        weights={path.name: path.stat().st_size for path in plain_files(folder / "weights", "safetensors")},
        warnings=warnings,
    )


def embed_png(caption: str, png: bytes, name: str = "", group: str = "", step: int | None = None) -> EmbeddedImage:
    """A PNG as an image that needs no file beside the page."""
    return EmbeddedImage(caption, "data:image/png;base64," + b64encode(png).decode("ascii"), name, group, step)


def _images(run: Path, log: Log, warnings: list[str]) -> Iterator[EmbeddedImage]:
    paths = [path for kind in ("plots", "images") for path in plain_files(run / kind, "png")]
    for path in _in_order(paths, log.titles):
        name = f"{path.parent.name}/{path.name}"
        try:
            content = read_bytes(path, LIMITS["figure"], within=run)
        except OSError as error:
            warnings.append(f"{name} is omitted: {error.strerror}.")
            continue
        if not content.startswith(_PNG_SIGNATURE):
            warnings.append(f"{name} is damaged: it is no PNG.")
        else:
            yield embed_png(log.titles.get(path.name) or path.stem, content, path.stem, *log.groups.get(path.name, ()))


def _tables(folder: Path, titles: Mapping[str, str], warnings: list[str]) -> Iterator[ReportTable]:
    for path in _in_order(plain_files(folder, "csv"), titles):
        try:
            with open_lines(path, within=folder.parent) as lines:
                cells = csv.reader(lines)
                columns, *rows = ([unquote_formula(cell) for cell in row] for row in islice(cells, 1 + ROWS_SHOWN))
                total = len(rows) + sum(1 for _ in cells)
        except (OSError, ValueError, csv.Error) as error:
            warnings.append(f"tables/{path.name} cannot be read ({one_line(error)}).")
        else:
            yield ReportTable(titles.get(path.name) or path.stem, columns, rows, total)


def _in_order(paths: Iterable[Path], titles: Mapping[str, str]) -> list[Path]:
    """In the order of the events; files without an event follow, by name."""
    rank = {name: place for place, name in enumerate(titles)}
    return sorted(paths, key=lambda path: (rank.get(path.name, len(rank)), path.name))
