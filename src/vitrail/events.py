"""What a task yields while it runs: whoever iterates prints, streams, saves or stops."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True)
class Progress:
    """How far a part of the work is.

    Attributes:
        part: what is being done ("features").
        done, total: in `unit`s; `total` is None when not known.
        detail: what else there is to say of this moment ("accuracy 0.92").
        figures: the same as numbers, for curves that are drawn while the work goes on.
    """

    part: str
    done: int
    total: int | None = None
    unit: str = "pictures"
    detail: str = ""
    figures: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Note:
    """A sentence for the user."""

    text: str


@dataclass(frozen=True)
class Table:
    """Rows under named columns; kept as `tables/<name>.csv`.

    Attributes:
        shown: whether a face should show it at once (False: only kept).
    """

    name: str
    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Any]]
    shown: bool = True


@dataclass(frozen=True)
class Picture:
    """A PNG; kept as `pictures/<name>.png`."""

    name: str
    caption: str
    png: bytes = field(repr=False)


@dataclass(frozen=True)
class Preview:
    """How something that is being made stands; only the last one of each name is kept, as `live/<name>.png`.

    Attributes:
        figures: what there is to say of it, as `probability`.
    """

    name: str
    png: bytes = field(repr=False)
    figures: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Attachment:
    """Any other file worth keeping; kept as `<folder>/<name>`.

    Attributes:
        folder: "maps", "pictures" ...
        name: with its suffix ("cat_gradient.npy").
    """

    folder: str
    name: str
    data: bytes = field(repr=False)


@dataclass(frozen=True)
class Weights:
    """Tensors worth keeping; kept as `weights/<name>.safetensors`, with what is needed to use them again.

    Attributes:
        description: JSON values that say how to rebuild the module.
        card: the model card (Markdown with the hub's YAML head); kept as the run's README.md. Empty: what is kept
            belongs to other weights, whose card stays.
    """

    name: str
    tensors: Mapping[str, np.ndarray] = field(repr=False)
    description: Mapping[str, Any]
    card: str = field(default="", repr=False)


@dataclass(frozen=True)
class Checkpoint:
    """What a long run needs to go on; kept as `checkpoints/<name>`, beside those of the earlier ones that still count.

    Attributes:
        kept: names, this one's among them; all other checkpoints are removed once this one is whole on the disk.
    """

    name: str
    data: bytes = field(repr=False)
    kept: Sequence[str] = ()


@dataclass(frozen=True)
class Result:
    """The figures, units in their names; the last event of a task, kept as `result.json`."""

    figures: Mapping[str, Any]


Event = Progress | Note | Table | Picture | Preview | Attachment | Weights | Checkpoint | Result
