"""Names of checkpoint files in a run folder, which of them are retained, and the latest one."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from vitrail.errors import BadRun
from vitrail.image_files import display_name
from vitrail.reading import plain_files


def file_name(step: int) -> str:
    """Name of the checkpoint after `step` training steps; names sort by step."""
    return f"step-{step:08d}.safetensors"


def latest_checkpoint(run: Path) -> Path:
    """The latest checkpoint in a run folder.

    Raises:
        BadRun: there is none.
    """
    files = [path for path in plain_files(run / "checkpoints", "safetensors") if path.name.startswith("step-")]
    if not files:
        raise BadRun(
            f"'{display_name(run)}' has no checkpoint. Use a run of `vitrail gan train` that completed an epoch.",
            path=display_name(run),
        )
    return files[-1]


def retained_names(names: Sequence[str], name: str, *, best: str | None, count: int) -> list[str]:
    """The checkpoints to retain with the new one `name`: the best epoch's, and the `count` latest.

    Args:
        names: those retained so far.
    """
    recent = [old for old in names if old != name][-(count - 1) :] if count > 1 else []
    return list(dict.fromkeys([*([best] if best else []), *recent, name]))
