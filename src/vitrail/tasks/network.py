"""The network that a task looks into, and the pictures as it sees them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vitrail.backbones.quick import quick_copy
from vitrail.backbones.sources import file_sha256
from vitrail.devices import choose_device, processors
from vitrail.errors import BadPicture
from vitrail.image_files import display_name
from vitrail.images import read_picture
from vitrail.transfer.classifier import load

if TYPE_CHECKING:
    from torch import Tensor

    from vitrail.backbones.backbone import Backbone
    from vitrail.backbones.recipe import Preparation

BATCH = 32  # pictures that are read and worked on together


@dataclass(frozen=True)
class Network:
    """A backbone, or the classifier in a run folder.

    Attributes:
        plain: as it is made: what it says counts.
        quick: the same numbers to float32's rounding, sooner; for gradients and for searching.
        identity: its `name` and which weights, as `result.json` names it.
    """

    plain: Backbone = field(repr=False)
    quick: Backbone = field(repr=False)
    identity: dict[str, Any]
    device: str

    @property
    def name(self) -> str:
        """What a figure calls it."""
        return str(self.identity["name"])

    @property
    def classes(self) -> tuple[str, ...]:
        """What its logits stand for."""
        return self.plain.classes


def open_network(source: str, *, weights: Path | None = None, device: str = "auto") -> Network:
    """The network called `source`, or the classifier in the run folder `source`.

    Raises:
        UnknownName: neither a run folder nor a backbone's name.
        MissingWeights, BadWeights, BadRun: it cannot be had from there.
    """
    device = choose_device(device)
    plain = load(source, weights).to(device)
    head = Path(source) / "weights" / "head.safetensors"
    sha256 = file_sha256(head) if head.is_file() else plain.weights_sha256
    return Network(plain, quick_copy(plain), {"name": plain.name, "sha256": sha256}, device)


@dataclass(frozen=True)
class Batch:
    """Pictures as a network sees them.

    Attributes:
        rows: (N,), where in the list each of `files` is.
        pixels: (N, 3, S, S) uint8, one for each of `files`.
        skipped: those that could not be read, and why.
    """

    files: list[Path]
    rows: list[int]
    pixels: Tensor = field(repr=False)
    skipped: list[dict[str, str]]


def batches(files: Sequence[Path], preparation: Preparation, *, size: int = BATCH) -> Iterator[Batch]:
    """The pictures in `files`, prepared, at most `size` at a time; a batch of which none could be read has no rows."""
    import torch  # noqa: PLC0415  (seconds)

    def read(file: Path) -> Tensor | str:
        try:
            return read_picture(
                file,
                short_side=preparation.short_side,
                crop=preparation.size,
                interpolation=preparation.interpolation,
            )
        except BadPicture as error:
            return str(error)

    with ThreadPoolExecutor(processors()) as pool:
        for start in range(0, len(files), size):
            part = files[start : start + size]
            found = list(zip(part, pool.map(read, part), strict=True))
            pixels = [picture for _, picture in found if not isinstance(picture, str)]
            empty = torch.zeros(0, 3, preparation.size, preparation.size, dtype=torch.uint8)
            yield Batch(
                [file for file, picture in found if not isinstance(picture, str)],
                [row for row, (_, picture) in enumerate(found, start) if not isinstance(picture, str)],
                torch.stack(pixels) if pixels else empty,
                [{"file": display_name(file), "reason": why} for file, why in found if isinstance(why, str)],
            )
