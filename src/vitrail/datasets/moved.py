"""Where the data of a run are now: paths that it recorded, from another working directory or in another place."""

from __future__ import annotations

import glob
import os
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from vitrail.datasets import DATASETS, PIXEL_SETS
from vitrail.errors import BadRun
from vitrail.image_files import is_image_name
from vitrail.reading import may_be_read
from vitrail.runs import Run
from vitrail.tars import is_tar, split_tar_path


def settings_here(run: Run, paths: Iterable[str], images: str | None, data: str | None) -> dict[str, Any]:
    """The settings of a run with its paths as they are found from here.

    Args:
        paths: the settings that name paths.
        images: which of them names the images; None: none does.
        data: where the images are now; None: where they were.
    Raises:
        BadRun: the images are not there, or the run has none.
    """
    recorded = run.settings
    here = {**recorded, **{name: _each(recorded[name], partial(found, run=run)) for name in paths if name in recorded}}
    if data is None:
        for text in _texts(here.get(images or "")):
            check_there(text, run.folder)
        return here
    if images is None:
        raise BadRun(f"{str(run.folder)!r} is a run of {run.task}, which reads no images of yours. Leave out --data.")
    before = _texts(recorded.get(images))
    if len(before) == 1:  # a table of labels that lies among the images has moved with them
        below = {name: _each(recorded.get(name), lambda text: rebased(text, before[0], data)) for name in paths}
        here |= {name: path for name, path in below.items() if isinstance(path, str)}
    now = _placed(before, data)
    return {**here, images: now if isinstance(recorded.get(images), list) else now[0]}


def found(text: str, run: Run) -> str:
    """A path that a run recorded: a relative one is looked for where the run's command was typed, then here.

    A run folder may be anybody's: where this process is confined, it finds nothing outside that.
    """
    seen = run.environment.get("working_directory")
    if not text or os.path.isabs(text) or not isinstance(seen, str) or "\0" in seen + text:
        return text
    base = os.path.normpath(os.path.join(os.path.realpath(run.folder), seen))
    there = os.path.join(base, text)
    return there if base != os.path.realpath(".") and may_be_read(there) and _is_there(there) else text


def check_there(text: str, run: Path) -> None:
    """Raises `BadRun` where a run's images are no longer at the path that it recorded."""
    # Of what may not be read, even whether it is there is not said: it is refused where it is opened.
    if text and "\0" not in text and may_be_read(text) and not _names_data_set(text) and not _is_there(text):
        raise BadRun(
            f"The images of {str(run)!r} were at {text!r}, which is not there. "
            "Use --data PATH, where the images are now.",
            path=text,
        )


def rebased(text: str, old: str, new: str) -> str | None:
    """A path below `old`, as it is below `new`; None: it is not below it."""
    old_path, path = Path(old), Path(text)
    return str(new / path.relative_to(old_path)) if old and path.is_relative_to(old_path) else None


def _placed(recorded: Sequence[str], data: str) -> list[str]:
    """What was recorded, below `data`: one path is there itself, several are there by their names."""
    holds_images = os.path.isdir(data) or is_tar(Path(data))
    if len(recorded) < 2 and not (holds_images and any(is_image_name(Path(each).name) for each in recorded)):
        return [data]
    absolute = [os.path.abspath(each) for each in recorded]
    root = os.path.commonpath([os.path.dirname(each) for each in absolute])
    names = [os.path.relpath(each, root) for each in absolute]
    missing = [name for name in names if not _is_there(os.path.join(data, name))]
    if missing:
        raise BadRun(
            f"{data!r} lacks {len(missing)} of the {len(names)} images or folders of the run, e.g. {missing[0]!r}. "
            "Use a folder that holds all of them under these names."
        )
    return [os.path.join(data, name) for name in names]


def _is_there(text: str) -> bool:
    """Whether a path leads to something: a file, a folder, an image in a tar file, what a pattern matches."""
    if "\0" in text:
        return False
    inside = split_tar_path(Path(text)) is not None
    return inside or os.path.exists(text) or next(glob.iglob(text, recursive=True), None) is not None


def _names_data_set(text: str) -> bool:
    return text in DATASETS or text in PIXEL_SETS


def _texts(value: Any) -> tuple[str, ...]:
    """The texts of a recorded setting, which may be one or several; what is none is for the task to refuse."""
    values = value if isinstance(value, list) else [value]
    return tuple(each for each in values if isinstance(each, str) and each)


def _each(value: Any, change: Callable[[str], str | None]) -> Any:
    if isinstance(value, list):
        return [_each(inner, change) for inner in value]
    return change(value) if isinstance(value, str) else value
