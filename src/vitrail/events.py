"""What a task yields while it runs: whoever iterates prints, streams, saves or stops."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True)
class Progress:
    """How far a stage of the work is.

    Attributes:
        stage: what is being done ("features").
        done, total: in `unit`s; `total` is None when not known.
        detail: what else is worth saying at this moment ("accuracy 0.92").
        values: the same as numbers, for curves that are drawn while the work goes on.
    """

    stage: str
    done: int
    total: int | None = None
    unit: str = "images"
    detail: str = ""
    values: Mapping[str, float] = field(default_factory=dict)


NoteKind = Literal["info", "warning", "skipped", "stopped", "missing-extra", "damaged"]


@dataclass(frozen=True)
class Note:
    """A sentence for the user.

    Attributes:
        kind: what the sentence is about; programs decide by this, never by the wording.
        path: the file that the sentence is about, as a user would name it; empty: none.
    """

    text: str
    kind: NoteKind = "info"
    path: str = ""


@dataclass(frozen=True)
class Table:
    """Rows under named columns; kept as `tables/<name>.csv`.

    Attributes:
        prominent: whether a face shows it at once (False: only stored).
    """

    name: str
    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Any]]
    prominent: bool = True


@dataclass(frozen=True)
class Plot:
    """A figure (PNG); kept as `plots/<name>.png`."""

    name: str
    caption: str
    png: bytes = field(repr=False)


@dataclass(frozen=True)
class Image:
    """An image that was made (PNG); kept as `images/<name>.png`.

    Attributes:
        group: images that belong together, as the samples of each epoch ("samples"); empty: it stands alone.
        step: where it stands in its group, as the epoch.
    """

    name: str
    caption: str
    png: bytes = field(repr=False)
    group: str = ""
    step: int | None = None


@dataclass(frozen=True)
class Preview:
    """The state of something that is being made; only the last one of each name is kept, as `live/<name>.png`.

    Attributes:
        values: what there is to say of it, as `probability`.
    """

    name: str
    png: bytes = field(repr=False)
    values: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Attachment:
    """Any other file worth keeping; kept as `<folder>/<name>`.

    Attributes:
        folder: "maps", "images" ...; empty: the run folder itself.
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
        model_card: Markdown with the hub's YAML head; kept as the run's README.md. Empty: these weights belong to
            others, whose card stays.
    """

    name: str
    tensors: Mapping[str, np.ndarray] = field(repr=False)
    description: Mapping[str, Any]
    model_card: str = field(default="", repr=False)


@dataclass(frozen=True)
class Checkpoint:
    """What a long run needs to resume; kept as `checkpoints/<name>`, beside those of the earlier ones that still count.

    Attributes:
        retained: names, this one's among them; all other checkpoints are removed once this one is whole on the disk.
    """

    name: str
    data: bytes = field(repr=False)
    retained: Sequence[str] = ()


@dataclass(frozen=True)
class Summary:
    """What a person wants to know at the end, in at most twelve lines; shown once everything is stored.

    Attributes:
        lines: label and value ("accuracy", "0.932 (95 % interval 0.918 to 0.944, 1,495 images)").
        next_steps: commands that can be copied; `{run}` stands for the run folder.
    """

    lines: Sequence[tuple[str, str]]
    next_steps: Sequence[str] = ()


@dataclass(frozen=True)
class Result:
    """The values, units in their names; the last event of a task, kept as `result.json`."""

    values: Mapping[str, Any]


Event = Progress | Note | Table | Plot | Image | Preview | Attachment | Weights | Checkpoint | Summary | Result


def skipped_notes(skipped: Sequence[Mapping[str, str]]) -> Iterator[Note]:
    """A note for each image that was left out; each has `file`, `kind` and `reason`, as in `result.json`."""
    return (Note(f"Skipped: {skip['reason']}", "skipped", skip["file"]) for skip in skipped)
