"""Images to train a generator on: all in memory, of one size, with what each is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property
from hashlib import sha256
from pathlib import Path

import torch
import torch.nn.functional as F
from jaxtyping import Bool, UInt8
from torch import Tensor

from vitrail.formatting import display_name
from vitrail.images import to_rgb
from vitrail.tensors import Condition, Labels

FLAT, LOOKED_AT, SMALLEST_PHOTOGRAPH = 0.1, 256, 32
"""A grey image is not taken for a photograph where a tenth of the pixels have one value (of this many images),
or where its side has fewer pixels."""

ENOUGH = 50  # held-out images: of fewer, shares of nearest neighbours are chance
SHARE, LARGEST_SHARE = 0.1, 0.25  # of the images, held out by default


@dataclass(frozen=True)
class PixelSet:
    """Images and their labels.

    Attributes:
        images: (N, C, S, S) uint8; one channel if all are grey.
        labels: (N,) int64, the class of each; or (N, A) float32, -1 or 1 for each attribute. All 0 where nothing is
            known of them.
        names: of the classes or attributes; none where nothing is known.
        files: where each image was read; none where they are no files. Two sets may differ in this alone.
    """

    images: UInt8[Tensor, "count channels size size"]
    labels: Condition
    names: tuple[str, ...] = ()
    files: tuple[Path, ...] = field(default=(), repr=False)

    def __len__(self) -> int:
        return len(self.images)

    @property
    def size(self) -> int:
        """Side in pixels."""
        return self.images.shape[3]

    @property
    def channels(self) -> int:
        """1 or 3."""
        return self.images.shape[1]

    @property
    def has_attributes(self) -> bool:
        """Whether an image may be several things at once."""
        return self.labels.ndim == 2

    @cached_property
    def photographic(self) -> bool:
        """Whether they are taken for photographs: colour images, and grey ones without a background of one value.

        Such a background has 0.86 of the pixels of MNIST, 0.30 of the packaged digits'; of grey scenes, no value 0.01.
        """
        if self.channels == 3 or self.size < SMALLEST_PHOTOGRAPH:
            return self.channels == 3
        some = self.images[:: max(1, len(self) // LOOKED_AT)].flatten().long()
        return float(torch.bincount(some).max()) < FLAT * len(some)

    def take(self, rows: Tensor | slice) -> PixelSet:
        """The images at `rows`."""
        taken = torch.arange(len(self))[rows].tolist() if self.files else ()
        files = tuple(self.files[row] for row in taken)
        return replace(self, images=self.images[rows], labels=self.labels[rows], files=files)

    def to_grayscale(self) -> PixelSet:
        """One channel, if all three are equal everywhere."""
        first = self.images[:, :1]
        return replace(self, images=first.contiguous()) if (self.images == first).all() else self

    def to_rgb(self) -> PixelSet:
        """Three channels; a grey image's are equal."""
        return replace(self, images=to_rgb(self.images).contiguous())

    def take_attributes(self, kept: Bool[Tensor, " attributes"]) -> PixelSet:
        """Only some of the attributes; nothing is known of the images where none is left."""
        names = tuple(name for name, keep in zip(self.names, kept.tolist(), strict=True) if keep)
        nothing = torch.zeros(len(self), dtype=torch.long)
        return replace(self, names=names, labels=self.labels[:, kept] if names else nothing)

    @property
    def sha256(self) -> str:
        """Of pixels, labels and names: what a figure measured on them depends on."""
        whole = sha256(repr((tuple(self.images.shape), self.names)).encode())
        whole.update(self.images.contiguous().numpy().tobytes())
        whole.update(self.labels.contiguous().numpy().tobytes())
        return whole.hexdigest()

    def rows(self, part: str) -> Iterator[tuple[str, str, str, str]]:
        """File (or number), class, `part` and content of each image, as `datasets.changes` compares them.

        The content is that of the pixels; of a grey image one channel's, whatever the others are.
        """
        for row, (image, label) in enumerate(zip(self.images, self.labels.tolist(), strict=True)):
            single = image[:1] if (image == image[:1]).all() else image
            content = sha256(single.contiguous().numpy().tobytes()).hexdigest()[:16]
            yield display_name(self.files[row]) if self.files else f"{part} {row}", self._named(label), part, content

    def _named(self, label: int | list[float]) -> str:
        """The class, or the attributes that hold."""
        if isinstance(label, list):
            return " ".join(name for name, value in zip(self.names, label, strict=True) if value > 0)
        return self.names[label] if self.names else ""


def groups(labels: Condition) -> Labels:
    """(N,): the class, or one number for each combination of attributes that occurs."""
    return labels if labels.ndim == 1 else torch.unique(labels, dim=0, return_inverse=True)[1]


def fit_to_size(
    images: UInt8[Tensor, "count channels rows columns"], size: int
) -> UInt8[Tensor, "count channels size size"]:
    """The middle square at another size; a black border is put round images that are little smaller.

    A border of up to an eighth on each side keeps every pixel as it was: 28 become 32.
    """
    side = min(images.shape[2:])
    top, left = ((length - side) // 2 for length in images.shape[2:])
    images = images[:, :, top : top + side, left : left + side]
    missing = size - side
    if 0 <= missing <= size // 8 * 2:
        return F.pad(images, (missing // 2, missing - missing // 2) * 2)
    parts = [
        F.interpolate(part, size=(size, size), mode="bilinear", antialias=True) for part in torch.split(images, 4096)
    ]
    return torch.cat(parts)


def stratified_holdout(labels: Condition, share: float | None, seed: int) -> tuple[Tensor, Tensor]:
    """Rows (train, held out): of each class or combination of attributes about `share` held out, at least one stays.

    Combinations too rare for one to be held out are drawn from together.

    Args:
        share: None: a tenth; of a few hundred images as much more as `ENOUGH` of them need, up to a quarter.
    """
    if share is None:
        share, most = SHARE, LARGEST_SHARE
        while share < most and len(stratified_holdout(labels, share, seed)[1]) < ENOUGH:
            share = min(share + 1 / len(labels), most)  # each class rounds its own share
    draws = torch.Generator().manual_seed(seed)
    out: list[Tensor] = []
    which = groups(labels)
    if labels.ndim == 2:
        rare = torch.bincount(which)[which] * share < 1
        which = torch.where(rare, -1, which)
    for group in torch.unique(which):
        members = torch.nonzero(which == group)[:, 0]
        members = members[torch.randperm(len(members), generator=draws)]
        out.append(members[: min(max(1, round(share * len(members))), len(members) - 1)])
    held_out = torch.cat(out).sort().values
    train = torch.ones(len(labels), dtype=torch.bool)
    train[held_out] = False
    return torch.nonzero(train)[:, 0], held_out
