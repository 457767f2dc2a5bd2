"""What a user calls their images, as two `PixelSet`s: to learn from, and held out."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from vitrail.datasets.attributes import find_table, read_table
from vitrail.datasets.folder import folder, parts
from vitrail.datasets.idx import has_idx, read_part
from vitrail.datasets.pixels import PixelSet, fitted, held_out_rows
from vitrail.devices import cpu_count
from vitrail.errors import BadFolder, BadImage, BadSetting, MissingWeights, UnknownName, one_line
from vitrail.image_files import display_name, find_images
from vitrail.images import read_pixels

SMALLEST = 8  # images to learn from, the held-out ones not counted


@dataclass(frozen=True)
class Wish:
    """How images are wanted.

    Attributes:
        size: side in pixels.
        labels: a table of attributes; None: one in the folder is looked for.
        attributes: which of its columns.
        images: to learn from, drawn at random; None: all.
        held_out: share that is kept for measuring, where the source has no test part of its own.
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
class Opened:
    """Images to learn from and images held out; notes say what was done to them."""

    train: PixelSet
    held_out: PixelSet
    notes: tuple[str, ...] = ()

    @property
    def skipped(self) -> tuple[str, ...]:
        """Those notes that say what could not be read."""
        return tuple(note for note in self.notes if note.startswith("Skipped"))


def open_pixels(source: str, wish: Wish) -> Opened:
    """The images in the folder `source`, or in the data set of that name.

    A folder may hold idx files, a table of attributes, class folders (with `train/` and `test/` above them or not), or
    images alone. Names are `digits`, `mnist` and `torchvision:NAME`.

    Raises:
        UnknownName: neither a folder nor a name.
        BadFolder, BadImage, BadSetting: it cannot be learned from.
        MissingWeights: it is not on this machine, and may not be downloaded.
    """
    root = Path(source)
    if source == "digits":
        opened = _digits(wish)
    elif source == "mnist" and not root.exists():
        opened = _of_torchvision("MNIST", wish)
    elif source.startswith("torchvision:"):
        opened = _of_torchvision(source.partition(":")[2], wish)
    elif has_idx(root):
        opened = _parted(read_part(root, "train"), read_part(root, "test"), wish, tuple("0123456789"))
    elif root.is_dir():
        opened = _of_folder(root, wish)
    else:
        near = get_close_matches(source, ("digits", "mnist"), n=1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        raise UnknownName(
            f"'{display_name(source)}' is no folder and no data set.{hint} Known: digits, mnist, torchvision:NAME."
        )
    opened = _fewer(opened, wish)
    if len(opened.train) < SMALLEST:
        count = len(opened.train)
        raise BadFolder(
            f"'{display_name(source)}' leaves {count} images to train on, which are too few. Use at least {SMALLEST}."
        )
    grey = opened.train.in_grey(), opened.held_out.in_grey()
    same = grey[0].channels == grey[1].channels
    return replace(opened, train=grey[0], held_out=grey[1]) if same else opened


def _fewer(opened: Opened, wish: Wish) -> Opened:
    """As many images to learn from as wished for, in the order in which they were; all are held out that were."""
    count = len(opened.train)
    if wish.images is None or wish.images >= count:
        return opened
    draws = torch.Generator().manual_seed(wish.seed)
    rows = torch.randperm(count, generator=draws)[: wish.images].sort().values
    note = f"{wish.images} of {count} images are learned from."
    return replace(opened, train=opened.train.take(rows), notes=(*opened.notes, note))


def _digits(wish: Wish) -> Opened:
    from sklearn.datasets import load_digits

    data = load_digits()
    images = torch.from_numpy(data.images * (255 / 16)).round().to(torch.uint8)[:, None]
    labels = torch.from_numpy(data.target).long()
    test = torch.arange(len(labels)) % 5 == 0  # as `datasets.digits` parts them
    names = tuple("0123456789")
    return _parted((images[~test], labels[~test]), (images[test], labels[test]), wish, names)


def _parted(train: tuple[Tensor, Tensor], test: tuple[Tensor, Tensor], wish: Wish, names: tuple[str, ...]) -> Opened:
    most = int(max(train[1].max(), test[1].max())) + 1 if len(train[1]) and len(test[1]) else 0
    names = names if most <= len(names) else tuple(map(str, range(most)))
    learned, held_out = (PixelSet(fitted(images, wish.size), labels, names) for images, labels in (train, test))
    return Opened(learned, held_out)


def _of_torchvision(name: str, wish: Wish) -> Opened:
    from torchvision import datasets

    kind = getattr(datasets, name, None)
    if kind is None or name not in datasets.__all__:
        near = get_close_matches(name, datasets.__all__, n=1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        raise UnknownName(f"torchvision has no data set {name!r}.{hint}")
    train, test = (_part_of(kind, name, split, wish) for split in ("train", "test"))
    return _parted(train, test, wish, _names_of(kind))


def _part_of(kind: Any, name: str, split: str, wish: Wish) -> tuple[Tensor, Tensor]:
    from torchvision.transforms.v2 import functional as change

    home = wish.home / "torchvision"
    try:
        try:
            data = kind(home, train=split == "train", download=wish.download)
        except TypeError:  # the newer ones take a name
            data = kind(home, split=split, download=wish.download)
    except RuntimeError as error:
        if wish.download:
            raise MissingWeights(f"{name} could not be downloaded ({one_line(error)}); try again later.") from None
        raise MissingWeights(
            f"{name} is not in '{display_name(home)}'. Use --download, or a folder that holds it."
        ) from None
    except (TypeError, ValueError) as error:
        raise BadSetting(f"{name} cannot be opened by its name alone ({one_line(error)}). Use a folder.") from None
    size = wish.size

    def one(image: Any) -> Tensor:
        image = change.pil_to_tensor(image.convert("RGB"))
        return fitted(image[None], size)[0]

    images, labels = zip(*((one(image), int(label)) for image, label in data), strict=True)
    return torch.stack(images), torch.tensor(labels)


def _names_of(kind: Any) -> tuple[str, ...]:
    names = getattr(kind, "classes", ())
    return tuple(map(str, names)) if isinstance(names, (list, tuple)) else ()


def _of_folder(root: Path, wish: Wish) -> Opened:
    if wish.labels is not None and not wish.labels.is_file():
        raise BadSetting(
            f"The table '{display_name(wish.labels)}' does not exist; a CSV file with a column 'file' would."
        )
    table = wish.labels or find_table(root, wish.attributes)
    if wish.attributes and table is None:
        raise BadSetting(f"'{display_name(root)}' holds no table with {', '.join(wish.attributes)}; give --labels.")
    if table is not None:
        kept = read_table(table, root, wish.attributes)
        return _split(_read(kept.files, kept.values, kept.names, wish), wish)
    if not any(path.is_dir() and not path.name.startswith(".") for path in root.iterdir()):
        files = find_images([root])
        return _split(_read(files, torch.zeros(len(files), dtype=torch.long), (), wish), wish)
    if parts(root):
        sets = [folder(root, split) for split in ("train", "test")]
        if sets[0].classes != sets[1].classes:
            raise BadFolder(f"'{display_name(root)}' has other classes in train than in test.")
    else:
        sets = [folder(root, None)]
    names = sets[0].classes if len(sets[0].classes) > 1 else ()
    made = [_read(part.files, torch.from_numpy(part.labels).long(), names, wish) for part in sets]
    if len(made) == 1:
        return _split(made[0], wish)
    return Opened(made[0][0], made[1][0], (*made[0][1], *made[1][1]))


def _split(read: tuple[PixelSet, tuple[str, ...]], wish: Wish) -> Opened:
    whole, notes = read
    train, held_out = held_out_rows(whole.labels, wish.held_out, wish.seed)
    note = f"{len(held_out)} of {len(whole)} images are held out for measuring."
    return Opened(whole.take(train), whole.take(held_out), (*notes, note))


def _read(
    files: Sequence[Path], labels: Tensor, names: tuple[str, ...], wish: Wish
) -> tuple[PixelSet, tuple[str, ...]]:
    """Images from files, the middle square at the size wished for; those that cannot be read are left out."""

    def one(file: Path) -> Tensor | str:
        try:
            return read_pixels(file, short_side=wish.size, crop=wish.size)
        except BadImage as error:
            return str(error)

    with ThreadPoolExecutor(cpu_count()) as pool:
        found = list(pool.map(one, files))
    good = [row for row, image in enumerate(found) if isinstance(image, Tensor)]
    bad = [image for image in found if isinstance(image, str)]
    if not good:
        raise BadImage(f"No image could be read; the first one: {bad[0]}")
    images = torch.stack([image for image in found if isinstance(image, Tensor)])
    notes = [
        f"Images are read at {wish.size} x {wish.size}, the middle square of each.",
        *(f"Skipped: {why}" for why in bad),
    ]
    return PixelSet(images, labels[good], names), tuple(notes)
