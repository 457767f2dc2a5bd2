"""Images for a GAN, from a folder or a named data set, as two `PixelSet`s: to train on, and held out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from vitrail.datasets.data_card import DataCard, class_counts, with_unreadable
from vitrail.datasets.dataset import UNKNOWN, Dataset
from vitrail.datasets.image_table import find_attribute_table, has_classes, read_attributes
from vitrail.datasets.open_dataset import open_dataset
from vitrail.datasets.pixels import PixelSet, fit_to_size, stratified_holdout
from vitrail.datasets.square_images import ReadImages, read_square_images
from vitrail.datasets.torchvision_sets import MNIST, read_torchvision
from vitrail.errors import BadFolder, BadSetting, UnknownName
from vitrail.events import Note, skipped_notes
from vitrail.folder_walk import LeftOut
from vitrail.formatting import count
from vitrail.idx import has_idx, read_part
from vitrail.image_files import display_name
from vitrail.tables import is_table

MIN_HELD_OUT = 2  # images
TABLES_NAMED = 3  # in a note
MIN_TRAIN = 8  # images to train on, the held-out ones not counted


@dataclass(frozen=True)
class PixelOptions:
    """How images are to be read.

    Attributes:
        size: side in pixels.
        labels: a table of attributes; None: one in the folder is looked for.
        attributes: which of its columns.
        images: number to train on, drawn at random; None: all.
        held_out: share that is held out for evaluation, where the source has no test split of its own; None: a tenth,
            of a few hundred images about a quarter at most, so that 50 are held out.
        home: folder for what is written or downloaded.
        download: whether the network may be used.
    """

    size: int
    labels: Path | None = None
    attributes: tuple[str, ...] = ()
    images: int | None = None
    held_out: float | None = None
    seed: int = 0
    home: Path = Path()
    download: bool = False


@dataclass(frozen=True)
class TrainAndHeldOut:
    """Images to train on and images held out.

    Attributes:
        notes: sentences on how they were read and split.
        skipped: images that could not be read: `file`, `kind` and `reason` of each.
        left_out: number of files that are not among these, by kind; those that could not be read not counted.
    """

    train: PixelSet
    held_out: PixelSet
    notes: tuple[str, ...] = ()
    skipped: tuple[dict[str, str], ...] = ()
    left_out: Mapping[str, int] = field(default_factory=dict)

    def card(self, source: str) -> DataCard:
        """What was read of `source`, and what was not."""
        parts = {"train": len(self.train), "held out": len(self.held_out)}
        named = self.train.names and not self.train.has_attributes
        classes = class_counts(self.train.labels.numpy(), self.train.names) if named else {}
        return DataCard(source, parts, classes, with_unreadable(self.left_out, len(self.skipped)), self.notes)

    def events(self) -> Iterator[Note]:
        """The notes, and one for each skipped image."""
        yield from map(Note, self.notes)
        yield from skipped_notes(self.skipped)


def load_pixel_sets(source: str, options: PixelOptions) -> TrainAndHeldOut:
    """Images of whatever `open_dataset` takes, of a folder of idx files, or of the data set of that name.

    A folder without class folders may hold a table of attributes. Names are `digits`, `mnist` and `torchvision:NAME`.

    Raises:
        UnknownName: neither a folder nor a name.
        BadFolder, BadImage, BadSetting: it cannot be trained on.
        MissingWeights: it is not on this machine, and may not be downloaded.
    """
    root = Path(source)
    if source == "digits":
        opened = _digits(options)
    elif source == "mnist" and not root.exists():
        opened = _from_torchvision(MNIST, options)
    elif source.startswith("torchvision:"):
        opened = _from_torchvision(source.partition(":")[2], options)
    elif has_idx(root):
        opened = _from_idx(root, options)
    elif root.exists():
        opened = _from_files(root, options)
    else:
        near = get_close_matches(source, ("digits", "mnist"), n=1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        raise UnknownName(
            f"'{display_name(source)}' is no folder, no table and no data set.{hint} "
            "Known: digits, mnist, torchvision:NAME."
        )
    opened = _without_constant(_subsample(opened, options), options)
    if len(opened.train) < MIN_TRAIN:
        left = opened.card(source).left_out
        without = f" (left out: {', '.join(f'{number} {kind}' for kind, number in left.items())})" if left else ""
        raise BadFolder(
            f"'{display_name(source)}' leaves {count(len(opened.train), 'image')} to train on, too few{without}. "
            f"Use at least {MIN_TRAIN}."
        )
    if len(opened.held_out) < MIN_HELD_OUT:
        total = len(opened.train) + len(opened.held_out)
        larger = "a larger --held-out, or " if total >= MIN_TRAIN + MIN_HELD_OUT else ""
        few = f"leaves {len(opened.held_out)} of {total} images to evaluate on, which are too few"
        raise BadFolder(f"'{display_name(source)}' {few}. Use {larger}more images.")
    grey = opened.train.to_grayscale(), opened.held_out.to_grayscale()
    same = grey[0].channels == grey[1].channels
    return replace(opened, train=grey[0], held_out=grey[1]) if same else opened


def _from_idx(root: Path, options: PixelOptions) -> TrainAndHeldOut:
    """The classes are the numbers that there are, as `read_idx_images` has them."""
    (train, train_numbers), (test, test_numbers) = (read_part(root, part) for part in ("train", "test"))
    numbers, labels = np.unique(np.concatenate((train_numbers, test_numbers)), return_inverse=True)
    learned, held_out = (torch.from_numpy(images.copy())[:, None] for images in (train, test))
    ours = torch.from_numpy(labels)
    names = tuple(map(str, numbers))
    return _from_splits((learned, ours[: len(train)]), (held_out, ours[len(train) :]), options, names)


def _subsample(opened: TrainAndHeldOut, options: PixelOptions) -> TrainAndHeldOut:
    """A random subset of the training images, as many as asked for, in their order; the held-out ones stay."""
    count = len(opened.train)
    if options.images is None or options.images >= count:
        return opened
    draws = torch.Generator().manual_seed(options.seed)
    rows = torch.randperm(count, generator=draws)[: options.images].sort().values
    note = f"{options.images} of {count} images are used for training."
    return replace(opened, train=opened.train.take(rows), notes=(*opened.notes, note))


def _without_constant(opened: TrainAndHeldOut, options: PixelOptions) -> TrainAndHeldOut:
    """Without attributes that all training images have, or none: nothing can be learned of them.

    Those that were asked for by name stay, as what a generator was trained on is asked for again.
    """
    train = opened.train
    if not train.has_attributes or not len(train):
        return opened
    varies = (train.labels != train.labels[0]).any(dim=0)
    constant = ", ".join(name for name, each in zip(train.names, varies.tolist(), strict=True) if not each)
    if not constant:
        return opened
    if options.attributes:
        note = f"Every training image has the same value of {constant}: nothing can be learned of it."
        return replace(opened, notes=(*opened.notes, note))
    train, held_out = train.take_attributes(varies), opened.held_out.take_attributes(varies)
    note = f"Left out, because every training image has the same value: {constant}."
    return replace(opened, train=train, held_out=held_out, notes=(*opened.notes, note))


def _digits(options: PixelOptions) -> TrainAndHeldOut:
    from sklearn.datasets import load_digits

    data = load_digits()
    images = torch.from_numpy(data.images * (255 / 16)).round().to(torch.uint8)[:, None]
    labels = torch.from_numpy(data.target).long()
    test = torch.arange(len(labels)) % 5 == 0  # as `datasets.digits` splits them
    names = tuple("0123456789")
    return _from_splits((images[~test], labels[~test]), (images[test], labels[test]), options, names)


def _from_splits(
    train: tuple[Tensor, Tensor], test: tuple[Tensor, Tensor], options: PixelOptions, names: tuple[str, ...]
) -> TrainAndHeldOut:
    most = int(max(train[1].max(), test[1].max())) + 1 if len(train[1]) and len(test[1]) else 0
    names = names if most <= len(names) else tuple(map(str, range(most)))
    learned, held_out = (PixelSet(fit_to_size(images, options.size), labels, names) for images, labels in (train, test))
    return TrainAndHeldOut(learned, held_out)


def _from_torchvision(name: str, options: PixelOptions) -> TrainAndHeldOut:
    home = options.home / "torchvision"
    train, test, names = read_torchvision(name, home, size=options.size, download=options.download)
    return _from_splits(train, test, options, names)


def _from_files(root: Path, options: PixelOptions) -> TrainAndHeldOut:
    if options.labels is not None and not options.labels.is_file():
        raise BadSetting(
            f"The table '{display_name(options.labels)}' does not exist. Use a CSV file with a column 'file'."
        )
    found = open_dataset(root) if root.is_dir() and not options.labels else None
    table = options.labels or _own_table(root, found, options.attributes)
    if options.attributes and table is None:
        wanted = ", ".join(options.attributes)
        raise BadSetting(f"'{display_name(root)}' holds no table with {wanted}. Use a folder with one, or --labels.")
    if table is None and found is not None:
        return _from_dataset(replace(found, notes=(*found.notes, *_unused_tables(root, found))), options)
    if table is None or (not options.attributes and has_classes(table)):
        return _from_dataset(open_dataset(table or root), options)
    rows = read_attributes(table, root if root.is_dir() else root.parent, options.attributes)
    read = read_square_images(rows.files, torch.from_numpy(rows.values), rows.names, options.size)
    used = f"Attributes from '{display_name(table.name)}': {', '.join(rows.names)}."
    return _split(read, options, notes=(used,), left_out=rows.left_out)


def _own_table(root: Path, found: Dataset | None, attributes: Sequence[str]) -> Path | None:
    """The table that says what the images are: `root` itself, or one in a folder without class folders."""
    if found is None:
        return root if is_table(root) and not has_classes(root) else None
    return find_attribute_table(root, attributes) if attributes or len(found.classes) < 2 else None


def _unused_tables(root: Path, found: Dataset) -> list[str]:
    """What is said of tables beside images without classes, none of which says of each what it is."""
    tables = [] if len(found.classes) > 1 else sorted(path for path in root.iterdir() if is_table(path))
    names = ", ".join(f"'{display_name(path.name)}'" for path in tables[:TABLES_NAMED])
    rest = "is no table" if len(tables) == 1 else "are no tables"
    return [f"{names} {rest} of attributes that are 1 or 0 (or -1), and not used; --labels uses one."] if tables else []


def _from_dataset(data: Dataset, options: PixelOptions) -> TrainAndHeldOut:
    """Its training part, or all of it, and the images held out: its test part, its val part, or a share."""
    names = data.classes if len(data.classes) > 1 else ()
    left_out, notes = LeftOut(data.left_out), list(data.notes)
    without = data.labels == UNKNOWN
    if names and without.any():  # of a part, it may be
        left_out["without a class"] += int(without.sum())
    usable = ~without if names else np.ones(len(data), bool)
    has = {part: bool((data.in_part(part) & usable).any()) for part in ("train", "val", "test")}
    learned, held_out = _chosen_parts(has)
    left_out["in the parts that are not used"] += int((usable & ~data.in_part(*learned, *held_out)).sum())
    if held_out == ("val",):
        notes.append("There is no test part: val is held out for evaluation.")
    sets = []
    for part in (learned, held_out) if held_out else (learned,):
        rows = np.flatnonzero(data.in_part(*part) & usable)
        labels = data.labels[rows] if names else np.zeros(len(rows), np.int64)
        files = [data.files[row] for row in rows.tolist()]
        sets.append(read_square_images(files, torch.from_numpy(labels).long(), names, options.size))
    if len(sets) == 1:
        return _split(sets[0], options, notes=notes, left_out=left_out)
    train, test = sets
    present = torch.unique(train.images.labels)
    known = torch.isin(test.images.labels, present)
    left_out["of classes that are not in train"] += int((~known).sum())
    if names:
        names = tuple(names[label] for label in present.tolist())
    learned_images, tested_images = (
        replace(images, labels=torch.searchsorted(present, images.labels), names=names if len(names) > 1 else ())
        for images in (train.images, test.images.take(torch.nonzero(known)[:, 0]))
    )
    skipped = (*train.skipped, *test.skipped)
    return TrainAndHeldOut(learned_images, tested_images, (*notes, _square(options)), skipped, +left_out)


def _chosen_parts(has: Mapping[str, bool]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The parts to learn from and to hold out; none to learn from: all, with a share held out."""
    if not has["train"]:
        return (), ()
    if has["test"]:
        return ("train", "val"), ("test",)
    return ("train",), ("val",) if has["val"] else ()


def _split(
    read: ReadImages, options: PixelOptions, *, notes: Sequence[str] = (), left_out: Mapping[str, int] | None = None
) -> TrainAndHeldOut:
    train, held_out = stratified_holdout(read.images.labels, options.held_out, options.seed)
    note = f"{len(held_out)} of {len(read.images)} images are held out for evaluation."
    return TrainAndHeldOut(
        read.images.take(train),
        read.images.take(held_out),
        (*notes, _square(options), note),
        read.skipped,
        +Counter(left_out or {}),
    )


def _square(options: PixelOptions) -> str:
    return f"Images are read at {options.size} x {options.size}, the middle square of each."
