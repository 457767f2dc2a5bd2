"""Checkpoint files: safetensors, with everything else as JSON in the header of the same file."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from vitrail.distributed import all_gather, rank_and_world_size
from vitrail.errors import BadRun, one_line
from vitrail.image_files import display_name
from vitrail.reading import check_regular

LAYOUT = "2"  # raised when the content changes: other layouts are refused
PER_RANK = ("random", "random_cuda")  # tensors of a state that differ between ranks: the random numbers of dropout


def pack(tensors: Mapping[str, Tensor], about: Mapping[str, Any]) -> bytes:
    """The content of a checkpoint file.

    Args:
        about: JSON values for the header.
    """
    return save(dict(tensors), metadata={"layout": LAYOUT, "about": json.dumps(about, allow_nan=False)})


def unpack(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Tensors and header of a checkpoint file.

    Raises:
        BadRun: the file is truncated, damaged, or of another layout.
    """
    try:
        with safe_open(check_regular(path), "pt") as file:
            header = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  (no mapping)
        about = json.loads(header["about"]) if header.get("layout") == LAYOUT else None
    except (OSError, SafetensorError, ValueError, KeyError, RecursionError) as error:
        reason = one_line(error)
        raise BadRun(
            f"The checkpoint '{display_name(path)}' is truncated or damaged ({reason}). Use the previous one: remove "
            "this file and resume.",
            path=display_name(path),
        ) from None
    if not isinstance(about, dict):
        raise BadRun(
            f"'{display_name(path)}' is not a checkpoint of this version of vitrail. Use a new run.",
            path=display_name(path),
        )
    return tensors, about


def merge_ranks(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """A state with the tensors that differ between ranks added, as `rank1.random`. Collective: every rank calls it."""
    others = {
        f"rank{rank}.{name}": value for name in PER_RANK if name in state for rank, value in _from_rank1(state[name])
    }
    return {**state, **others}


def for_rank(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The state of this rank, from what `merge_ranks` gave."""
    prefix = f"rank{rank_and_world_size()[0]}."
    mine = {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}
    return {**tensors, **mine}


def _from_rank1(value: Tensor) -> list[tuple[int, Tensor]]:
    return list(enumerate(all_gather(value)))[1:]
