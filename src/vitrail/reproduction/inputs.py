"""What there is to work with: folders of images, weights, and where things are kept."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from vitrail.backbones import BACKBONES
from vitrail.datasets.sample_images import sample_images
from vitrail.errors import MissingExtra
from vitrail.image_files import find_images
from vitrail.reading import open_lines
from vitrail.reproduction.budgets import Budget

WEIGHTS = (".safetensors", ".pth", ".pt")


@dataclass(frozen=True)
class Inputs:
    """What a plan is made from.

    Attributes:
        data: holds a folder for each data set.
        run: the run's folder; caches are kept there too, so that every time is that of this run's own work.
        weights: a folder of weights files, if one was given.
    """

    data: Path
    run: Path
    weights: Path | None
    budget: Budget
    seed: int
    device: str

    @property
    def drawn(self) -> dict[str, Any]:
        """The settings that all tasks with draws take."""
        return {"seed": self.seed, "device": self.device}

    @property
    def cache(self) -> Path:
        """For judges and features."""
        return self.run / "cache"

    def missing(self, folder: str) -> str:
        """A sentence where the data folder has no such folder; else nothing."""
        if (self.data / folder).is_dir():
            return ""
        return f"'{self.data / folder}' is missing, so this was left out; put {folder}/ into the folder of --data."

    def weights_of(self, backbone: str) -> Path | None:
        """The file of `--weights` that is called as the backbone, with or without a checksum behind the name."""
        files = sorted(self.weights.iterdir()) if self.weights and self.weights.is_dir() else []
        classified = (path for path in files if path.suffix in WEIGHTS and path.stem.partition("-")[0] == backbone)
        return next((path for path in classified if path.is_file()), None)

    def without_weights(self, backbone: str) -> str:
        """A sentence where the backbone's weights are neither given nor on this machine; nothing is downloaded."""
        if self.weights_of(backbone) or BACKBONES[backbone].weights_path() is not None:
            return ""
        return (
            f"The weights of {backbone} are not on this machine, so this was left out; "
            f"a folder with a file {backbone}.pth, given with --weights, would bring it in."
        )

    @cached_property
    def truth(self) -> dict[str, int]:
        """Class indices of the images in `imagenet256/`, by file name; none where there is no table."""
        table = self.data / "imagenet256" / "labels.csv"
        if not table.is_file():
            return {}
        with open_lines(table) as lines:
            return {row["file"]: int(row["class_index"]) for row in csv.DictReader(lines)}

    def photographs(self, count: int) -> tuple[Path, ...]:
        """Images of objects: `imagenet256/`, evenly, or the free ones that come with scikit-image.

        Raises:
            MissingExtra: there are none of either kind.
        """
        folder = self.data / "imagenet256" / "images"
        found = find_images([folder]) if folder.is_dir() else sample_images()
        return tuple(evenly(found, count))

    @property
    def without_photographs(self) -> str:
        """A sentence where `photographs` finds none."""
        try:
            return "" if self.photographs(1) else "There are no photographs to look at."
        except MissingExtra as error:
            return f"'{self.data / 'imagenet256'}' is missing, and the free photographs too: {error}"

    @property
    def second(self) -> str:
        """The network beside SqueezeNet: the report's VGG16 where its weights are, else the other packaged one."""
        return "efficientnet-lite0" if self.without_weights("vgg16") else "vgg16"


def evenly(files: Sequence[Path], count: int) -> list[Path]:
    """At most `count` of the files, evenly spaced."""
    shown = min(count, len(files))
    return [files[place * len(files) // shown] for place in range(shown)]
