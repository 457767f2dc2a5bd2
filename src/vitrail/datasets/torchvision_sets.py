"""Data sets that torchvision knows by name, for `gan train` alone."""

from __future__ import annotations

from difflib import get_close_matches
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from vitrail.datasets.pixels import fit_to_size
from vitrail.errors import BadSetting, MissingWeights, UnknownName, one_line
from vitrail.formatting import display_name

MNIST = "MNIST"
"""70,000 handwritten digits (LeCun et al., 1998), for `gan train` alone."""


def read_torchvision(
    name: str, home: Path, *, size: int, download: bool
) -> tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor], tuple[str, ...]]:
    """The training part, the test part and the class names, if it has any.

    Args:
        home: folder in which its files lie, or are downloaded.
        size: side of the images in pixels.
    Returns:
        Of each part images (N, 3, size, size) uint8 and labels (N,) int64.

    Raises:
        UnknownName: torchvision has no such data set.
        MissingWeights: it is not in `home`, and may not or cannot be downloaded.
        BadSetting: it cannot be opened by its name alone.
    """
    from torchvision import datasets

    kind = getattr(datasets, name, None)
    if kind is None or name not in datasets.__all__:
        near = get_close_matches(name, datasets.__all__, n=1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        raise UnknownName(f"torchvision has no data set {name!r}.{hint}")
    train, test = (_read_part(kind, name, part, home, size, download) for part in ("train", "test"))
    return train, test, _class_names(kind)


def _read_part(kind: Any, name: str, part: str, home: Path, size: int, download: bool) -> tuple[Tensor, Tensor]:
    from torchvision.transforms.v2 import functional as change

    try:
        try:
            data = kind(home, train=part == "train", download=download)
        except TypeError:  # the newer ones take a name
            data = kind(home, split=part, download=download)
    except (RuntimeError, FileNotFoundError) as error:
        if download:
            raise MissingWeights(f"{name} could not be downloaded ({one_line(error)}); try again later.") from None
        raise MissingWeights(
            f"{name} is not in '{display_name(home)}'. Use --download, or a folder that holds it."
        ) from None
    except (TypeError, ValueError) as error:
        raise BadSetting(f"{name} cannot be opened by its name alone ({one_line(error)}). Use a folder.") from None

    def one(image: Any) -> Tensor:
        image = change.pil_to_tensor(image.convert("RGB"))
        return fit_to_size(image[None], size)[0]

    images, labels = zip(*((one(image), int(label)) for image, label in data), strict=True)
    return torch.stack(images), torch.tensor(labels)


def _class_names(kind: Any) -> tuple[str, ...]:
    names = getattr(kind, "classes", ())
    return tuple(map(str, names)) if isinstance(names, (list, tuple)) else ()
