"""Names of checkpoint files in a run folder, which of them are retained, and the latest one."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, Field, StrictBool, StrictInt
from torch import Tensor

from vitrail.errors import BadRun, one_line
from vitrail.gan.alarm_monitor import HALVINGS
from vitrail.gan_training.checkpoints import unpack
from vitrail.image_files import display_name
from vitrail.reading import plain_files
from vitrail.settings import parse_model


def file_name(step: int) -> str:
    """Name of the checkpoint after `step` training steps; names sort by step."""
    return f"step-{step:08d}.safetensors"


def latest_checkpoint(run: Path) -> Path:
    """The latest checkpoint in a run folder.

    Raises:
        BadRun: there is none.
    """
    if (run / "checkpoints").is_symlink():
        raise BadRun(
            f"The folder 'checkpoints' in '{display_name(run)}' is a link, and links are not followed there. "
            "Use a copy of the run.",
            path=display_name(run),
        )
    files = [path for path in plain_files(run / "checkpoints", "safetensors") if path.name.startswith("step-")]
    if not files:
        raise BadRun(
            f"'{display_name(run)}' has no checkpoint. Use a run of `vitrail gan train` that completed an epoch.",
            path=display_name(run),
        )
    return files[-1]


class _Data(BaseModel):
    sha256: str


class Modes(BaseModel):
    """The training mode of a run: its name, and the options of `TrainingOptions` that it sets."""

    mode: str
    channels_last: bool
    fused: bool
    concat_real_fake: bool
    graph: bool = False


class _Best(BaseModel):
    step: int = Field(ge=0)


class _Healing(BaseModel):
    d_halvings: Annotated[StrictInt, Field(ge=0, le=HALVINGS)] = 0
    diffaugment: StrictBool = False


class _Header(BaseModel):
    """What a training takes from the header of a checkpoint."""

    networks: dict[str, Any]
    data: _Data
    seed: int
    processes: int
    choices: Modes
    position: int = Field(ge=0)
    epochs_done: int = Field(ge=0)
    step_in_epoch: int = Field(ge=0)
    history: list[dict[str, Any]]
    alarms: list[dict[str, Any]]
    best: _Best | None
    rollbacks: int = Field(ge=0, le=1000)
    healing: _Healing = _Healing()
    stopped: dict[str, Any] | None = None
    retained: list[str]


def read_checkpoint(file: Path, *, values: int) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Tensors and header of a checkpoint that a training can resume from.

    Args:
        values: length of the tensor of that name, the sums of the steps' values.
    Raises:
        BadRun: it is damaged, of another layout, or lacks something.
    """
    tensors, header = unpack(file)
    try:
        parse_model(_Header, header)
        if tensors["values"].shape != (values,):
            raise ValueError(f"values: {list(tensors['values'].shape)} numbers instead of {values}")
    except (ValueError, KeyError) as error:
        raise BadRun(
            f"The checkpoint '{display_name(file)}' is damaged ({one_line(error)}). Use the previous one: remove this "
            "file and resume.",
            path=display_name(file),
        ) from None
    return tensors, header


def retained_names(names: Sequence[str], name: str, *, best: str | None, count: int) -> list[str]:
    """The checkpoints to retain with the new one `name`: the best epoch's, and the `count` latest.

    Args:
        names: those retained so far.
    """
    recent = sorted(old for old in names if old != name)[-(count - 1) :] if count > 1 else []  # by step
    return list(dict.fromkeys([*([best] if best else []), *recent, name]))
