"""Settings of a training that continues a run."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from vitrail.datasets.moved import settings_here
from vitrail.errors import BadRun, BadSetting
from vitrail.runs import read_run

MAY_CHANGE = frozenset(
    (
        *("resume", "data", "labels", "epochs", "on_alarm", "keep_checkpoints", "evaluate_every", "tensorboard"),
        *("cache", "device"),
    )
)
"""Settings that may change when a run is resumed; data and labels only in their place: what they hold is compared."""

PLACES = frozenset(("cache", "tensorboard", "download"))
"""Settings that write elsewhere: never taken from the run folder, whose origin is not known."""


def resumed_settings(folder: Path, given: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of the run in `folder`, without `PLACES`, and with those of `given` that may change.

    Raises:
        BadRun: it is not a run of `gan train`, has finished its epochs, or its images are not where they were.
        BadSetting: a given setting is not the run's.
    """
    run, path = read_run(folder), str(folder)
    if run.task != "gan-train":
        raise BadRun(f"{path!r} is a run of {run.task}. Use a run of `vitrail gan train`.", path=path)
    done = run.settings.get("epochs")
    if not isinstance(run.settings.get("data"), str) or not isinstance(done, int):
        raise BadRun(f"{path!r} does not say what it was trained on, or how long. Use a whole run folder.", path=path)
    other = [name for name in given if name not in MAY_CHANGE and _recorded(given[name]) != run.settings.get(name)]
    if other:
        name = other[0]
        raise BadSetting(f"The resumed run has {name} = {run.settings.get(name)!r}; got {given[name]!r}. Leave it out.")
    if run.result is not None and not _is_above(given.get("epochs"), done):
        raise BadRun(f"{path!r} has finished its {done} epochs. Use --epochs {2 * done} to continue.", path=path)
    here = settings_here(run, ("data", "labels"), "data", _recorded(given.get("data")) or None)
    return {**{name: value for name, value in here.items() if name not in PLACES}, **given, "data": here["data"]}


def _is_above(epochs: Any, done: int) -> bool:
    """Whether a run of `done` epochs has more to do; what is no number is refused with the other settings."""
    try:
        return epochs is not None and int(epochs) > done
    except (TypeError, ValueError, OverflowError):
        return True


def _recorded(value: Any) -> Any:
    """A setting as in settings.json."""
    return str(value) if isinstance(value, Path) else value
