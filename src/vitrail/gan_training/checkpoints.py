"""A game in a file: tensors, and all else as JSON in the file's own header, so that neither comes without the other."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from vitrail.distributed import all_gather, rank_and_world_size
from vitrail.errors import BadRun
from vitrail.image_files import display_name

LAYOUT = "1"  # raised when the content changes: other layouts are refused


OWN = ("random", "random_cuda")  # of a game's state: what each of several processes has for itself, for dropout


def pack(tensors: Mapping[str, Tensor], about: Mapping[str, Any]) -> bytes:
    """The content of a checkpoint file.

    Args:
        about: JSON values.
    """
    return save(dict(tensors), metadata={"layout": LAYOUT, "about": json.dumps(about, allow_nan=False)})


def unpack(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """What was packed.

    Raises:
        BadRun: the file is cut short, damaged, or no checkpoint of ours.
    """
    try:
        with safe_open(path, "pt") as file:
            header = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  (no mapping)
        about = json.loads(header["about"]) if header.get("layout") == LAYOUT else None
    except (OSError, SafetensorError, ValueError, KeyError, RecursionError) as error:
        reason = " ".join(str(error).split())
        raise BadRun(
            f"The checkpoint '{display_name(path)}' is cut short or damaged ({reason}); remove it, and the one "
            "before it counts."
        ) from None
    if not isinstance(about, dict):
        raise BadRun(f"'{display_name(path)}' is no checkpoint of this version of vitrail; train anew.")
    return tensors, about


def merge_ranks(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """A game's state, and what the ranks after the first have otherwise than it has."""
    theirs = {f"rank{rank}.{name}": value for name in OWN if name in state for rank, value in _later(state[name])}
    return {**state, **theirs}


def for_rank(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """What `with_others` gave the first rank, as the state of this one."""
    prefix = f"rank{rank_and_world_size()[0]}."
    mine = {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}
    return {**tensors, **mine}


def _later(value: Tensor) -> list[tuple[int, Tensor]]:
    return list(enumerate(all_gather(value)))[1:]
