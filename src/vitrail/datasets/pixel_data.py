"""Images for a GAN, from a folder or a named data set, as two `PixelSet`s: to train on, and held out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from vitrail.datasets.attributes import find_table, read_table
from vitrail.datasets.folder import folder, split_folders
from vitrail.datasets.idx import has_idx, read_part
from vitrail.datasets.pixels import PixelSet, fit_to_size, stratified_holdout
from vitrail.devices import cpu_count
from vitrail.errors import BadFolder, BadImage, BadSetting, MissingWeights, UnknownName, one_line
from vitrail.events import Note, skipped_notes
from vitrail.image_files import display_name, find_images, none_readable, skipped_entry
from vitrail.images import read_pixels

MIN_TRAIN = 8  # images to train on, the held-out ones not counted


@dataclass(frozen=True)
class PixelOptions:
    """How images are to be read.

    Attributes:
        size: side in pixels.
        labels: a table of attributes; None: one in the folder is looked for.
        attributes: which of its columns.
        images: number to train on, drawn at random; None: all.
        held_out: share that is held out for evaluation, where the source has no test split of its own.
        home: folder for what is written or downloaded.
        download: whether the network may be used.
    """

    size: int
    labels: Path | None = None
    attributes: tuple[str, ...] = ()
    images: int | None = None
    held_out: float = 0.1
    seed: int = 0
    home: Path = Path()
    download: bool = False


@dataclass(frozen=True)
class TrainAndHeldOut:
    """Images to train on and images held out.

    Attributes:
        notes: sentences on how they were read and split.
        skipped: images that could not be read: `file`, `kind` and `reason` of each.
    """

    train: PixelSet
    held_out: PixelSet
    notes: tuple[str, ...] = ()
    skipped: tuple[dict[str, str], ...] = ()

    def events(self) -> Iterator[Note]:
        """The notes, and one for each skipped image."""
        yield from map(Note, self.notes)
        yield from skipped_notes(self.skipped)


def load_pixel_sets(source: str, options: PixelOptions) -> TrainAndHeldOut:
    """Images of the folder `source`, or of the data set of that name.

    A folder may hold idx files, a table of attributes, class folders (with `train/` and `test/` above them or not), or
    images alone. Names are `digits`, `mnist` and `torchvision:NAME`.

    Raises:
        UnknownName: neither a folder nor a name.
        BadFolder, BadImage, BadSetting: it cannot be trained on.
        MissingWeights: it is not on this machine, and may not be downloaded.
    """
    root = Path(source)
    if source == "digits":
        opened = _digits(options)
    elif source == "mnist" and not root.exists():
        opened = _from_torchvision("MNIST", options)
    elif source.startswith("torchvision:"):
        opened = _from_torchvision(source.partition(":")[2], options)
    elif has_idx(root):
        opened = _from_splits(read_part(root, "train"), read_part(root, "test"), options, tuple("0123456789"))
    elif root.is_dir():
        opened = _from_folder(root, options)
    else:
        near = get_close_matches(source, ("digits", "mnist"), n=1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        raise UnknownName(
            f"'{display_name(source)}' is no folder and no data set.{hint} Known: digits, mnist, torchvision:NAME."
        )
    opened = _subsample(opened, options)
    if len(opened.train) < MIN_TRAIN:
        count = len(opened.train)
        raise BadFolder(
            f"'{display_name(source)}' leaves {count} images to train on, which are too few. Use at least {MIN_TRAIN}."
        )
    grey = opened.train.to_grayscale(), opened.held_out.to_grayscale()
    same = grey[0].channels == grey[1].channels
    return replace(opened, train=grey[0], held_out=grey[1]) if same else opened


def _subsample(opened: TrainAndHeldOut, options: PixelOptions) -> TrainAndHeldOut:
    """A random subset of the training images, as many as asked for, in their order; the held-out ones stay."""
    count = len(opened.train)
    if options.images is None or options.images >= count:
        return opened
    draws = torch.Generator().manual_seed(options.seed)
    rows = torch.randperm(count, generator=draws)[: options.images].sort().values
    note = f"{options.images} of {count} images are used for training."
    return replace(opened, train=opened.train.take(rows), notes=(*opened.notes, note))


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
    from torchvision import datasets

    kind = getattr(datasets, name, None)
    if kind is None or name not in datasets.__all__:
        near = get_close_matches(name, datasets.__all__, n=1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        raise UnknownName(f"torchvision has no data set {name!r}.{hint}")
    train, test = (_read_split(kind, name, split, options) for split in ("train", "test"))
    return _from_splits(train, test, options, _class_names(kind))


def _read_split(kind: Any, name: str, split: str, options: PixelOptions) -> tuple[Tensor, Tensor]:
    from torchvision.transforms.v2 import functional as change

    home = options.home / "torchvision"
    try:
        try:
            data = kind(home, train=split == "train", download=options.download)
        except TypeError:  # the newer ones take a name
            data = kind(home, split=split, download=options.download)
    except RuntimeError as error:
        if options.download:
            raise MissingWeights(f"{name} could not be downloaded ({one_line(error)}); try again later.") from None
        raise MissingWeights(
            f"{name} is not in '{display_name(home)}'. Use --download, or a folder that holds it."
        ) from None
    except (TypeError, ValueError) as error:
        raise BadSetting(f"{name} cannot be opened by its name alone ({one_line(error)}). Use a folder.") from None
    size = options.size

    def one(image: Any) -> Tensor:
        image = change.pil_to_tensor(image.convert("RGB"))
        return fit_to_size(image[None], size)[0]

    images, labels = zip(*((one(image), int(label)) for image, label in data), strict=True)
    return torch.stack(images), torch.tensor(labels)


def _class_names(kind: Any) -> tuple[str, ...]:
    names = getattr(kind, "classes", ())
    return tuple(map(str, names)) if isinstance(names, (list, tuple)) else ()


def _from_folder(root: Path, options: PixelOptions) -> TrainAndHeldOut:
    if options.labels is not None and not options.labels.is_file():
        raise BadSetting(
            f"The table '{display_name(options.labels)}' does not exist. Use a CSV file with a column 'file'."
        )
    table = options.labels or find_table(root, options.attributes)
    if options.attributes and table is None:
        raise BadSetting(f"'{display_name(root)}' holds no table with {', '.join(options.attributes)}. Use --labels.")
    if table is not None:
        table_rows = read_table(table, root, options.attributes)
        return _split(_read(table_rows.files, table_rows.values, table_rows.names, options), options)
    if not any(path.is_dir() and not path.name.startswith(".") for path in root.iterdir()):
        files = find_images([root])
        return _split(_read(files, torch.zeros(len(files), dtype=torch.long), (), options), options)
    if split_folders(root):
        sets = [folder(root, split) for split in ("train", "test")]
        if sets[0].classes != sets[1].classes:
            raise BadFolder(
                f"'{display_name(root)}' has different classes in train and test. Use the same class folders in both."
            )
    else:
        sets = [folder(root, None)]
    names = sets[0].classes if len(sets[0].classes) > 1 else ()
    reads = [_read(split.files, torch.from_numpy(split.labels).long(), names, options) for split in sets]
    if len(reads) == 1:
        return _split(reads[0], options)
    skipped = (*reads[0].skipped, *reads[1].skipped)
    return TrainAndHeldOut(reads[0].images, reads[1].images, (_square(options),), skipped)


@dataclass(frozen=True)
class _Read:
    images: PixelSet
    skipped: tuple[dict[str, str], ...]


def _split(read: _Read, options: PixelOptions) -> TrainAndHeldOut:
    train, held_out = stratified_holdout(read.images.labels, options.held_out, options.seed)
    note = f"{len(held_out)} of {len(read.images)} images are held out for evaluation."
    notes = (_square(options), note)
    return TrainAndHeldOut(read.images.take(train), read.images.take(held_out), notes, read.skipped)


def _square(options: PixelOptions) -> str:
    return f"Images are read at {options.size} x {options.size}, the middle square of each."


def _read(files: Sequence[Path], labels: Tensor, names: tuple[str, ...], options: PixelOptions) -> _Read:
    """Images from files, the middle square at the size asked for; unreadable ones are skipped."""

    def one(file: Path) -> Tensor | dict[str, str]:
        try:
            return read_pixels(file, short_side=options.size, crop=options.size)
        except BadImage as error:
            return skipped_entry(file, error)

    with ThreadPoolExecutor(cpu_count()) as pool:
        results = list(pool.map(one, files))
    rows = [row for row, image in enumerate(results) if isinstance(image, Tensor)]
    skipped = tuple(entry for entry in results if isinstance(entry, dict))
    if not rows:
        raise none_readable(skipped)
    images = torch.stack([image for image in results if isinstance(image, Tensor)])
    return _Read(PixelSet(images, labels[rows], names), skipped)
