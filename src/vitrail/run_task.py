"""A task as a function call: what a command does, from Python."""

from __future__ import annotations

from collections import deque
from pathlib import Path
from typing import Any

from vitrail.errors import BadSetting
from vitrail.files import AnyPath
from vitrail.run_writer import new_folder, record
from vitrail.runs import Run, read_run
from vitrail.tasks import TASKS
from vitrail.validation import check_path


def run(task: str, *, run_dir: AnyPath | None = None, **settings: Any) -> Run:
    """Runs a task to its end and returns its run folder as read.

        run = vitrail.run("transfer", folder="flowers", backbone="squeezenet", run_dir="runs/flowers")
        run.result["test"]["accuracy"], run.tables["per_class"], run.plots

    Args:
        task: a command's name, words joined by hyphens: "transfer", "explain", "gan-train".
        run_dir: the run folder, new or empty; without it, a new one in `runs`.
        settings: the command's options, hyphens as underscores: `top_k=3` for `--top-k 3`.

    Raises:
        UnknownName: there is no such task.
        BadSetting: a setting is unknown, missing or out of range, or the task keeps no run folder.
        VitrailError: whatever the command would end with.
    """
    kind = TASKS[task]
    if not kind.records:
        raise BadSetting(f"{task!r} keeps no run folder, so there is no run to return. Use `vitrail {task}`.")
    chosen = kind(**settings)
    if run_dir is not None:
        check_path("run_dir", run_dir)
    folder = chosen.resume_folder or (new_folder(Path("runs"), task) if run_dir is None else Path(run_dir))
    deque(record(chosen, task, folder, is_ours=run_dir is None), maxlen=0)
    return read_run(folder)
