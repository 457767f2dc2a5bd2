"""A check of whatever `open_dataset` takes, with the features of a network."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from vitrail.backbones import BACKBONES, DEFAULT_BACKBONE
from vitrail.dataset_check.check import Work, check_dataset
from vitrail.dataset_check.result import DatasetCheck
from vitrail.datasets.data_card import DataCard, class_counts, with_unreadable
from vitrail.datasets.dataset import UNKNOWN, Dataset
from vitrail.datasets.open_dataset import open_named_dataset
from vitrail.files import AnyPath
from vitrail.image_files import none_readable
from vitrail.settings import cache_folder
from vitrail.transfer.features import Extractor


@dataclass(frozen=True)
class CheckWork:
    """Data and the network whose features they are checked on.

    Attributes:
        source: the data, as they were given.
        data: of the source.
    """

    source: str
    data: Dataset
    extractor: Extractor
    seed: int

    def run(self) -> Work:
        """Yields progress and returns the check.

        Raises:
            BadImage: no image can be read.
        """
        data = self.data
        labels = data.labels if data.classes else None
        parts = list(data.parts) if any(data.parts) else []
        check = yield from check_dataset(
            data.files, labels, data.classes, parts, extractor=self.extractor, seed=self.seed
        )
        if not check.files:
            raise none_readable(check.skipped)
        return check

    def card(self, check: DatasetCheck) -> DataCard:
        """What was checked."""
        place = {file: row for row, file in enumerate(self.data.files)}
        rows = [place[file] for file in check.files]
        parts = [self.data.parts[row] for row in rows]
        labels = self.data.labels[rows]
        return DataCard(
            self.source,
            {part: parts.count(part) for part in dict.fromkeys(parts)},
            class_counts(labels[labels != UNKNOWN], self.data.classes) if self.data.classes else {},
            with_unreadable(self.data.left_out, len(check.skipped)),
            self.data.notes,
            len(check.leaks) if any(self.data.parts) else None,
        )


def open_check(
    data: AnyPath,
    *,
    backbone: str = DEFAULT_BACKBONE,
    weights: Path | None = None,
    seed: int = 0,
    device: str = "auto",
    cache: Path | None = None,
    home: Path | None = None,
) -> CheckWork:
    """The check of some data, ready to run; arguments and errors as of `check`.

    Args:
        home: folder in which packaged data sets are written as files; None: the user's cache.
    """
    spec = BACKBONES[backbone]
    extractor = Extractor(spec, spec.feature_layers, weights=weights, cache=cache, device=device)
    opened = open_named_dataset(data, home=home or cache_folder().parent / "datasets")
    return CheckWork(str(data), opened, extractor, seed)


def check(
    data: AnyPath,
    *,
    backbone: str = DEFAULT_BACKBONE,
    weights: Path | None = None,
    seed: int = 0,
    device: str = "auto",
    cache: Path | None = None,
) -> DatasetCheck:
    """Copies, leaks, wrong labels, odd images, shortcuts and the learning curve of some data.

        found = vitrail.check("flowers")
        found.leaks, found.label_issues.issues, found.outliers.outliers, found.shortcuts, found.curve.gain

    Args:
        data: whatever `open_dataset` takes, or the name of a packaged data set. Without classes, only copies and odd
            images are looked for.
        backbone: network whose features are compared.
        weights: file in place of the network's own weights.
        seed: of the learning curve's parts and of the intervals.
        device: "auto", "cpu", "cuda", "cuda:N" or "mps".
        cache: folder of the feature cache; None: the user's.

    Raises:
        BadSetting: no path, or a seed that is none.
        BadFolder, BadImage: there is no image, or none that can be read.
        UnknownName, MissingWeights, BadWeights: of the network.
    """
    work = open_check(data, backbone=backbone, weights=weights, seed=seed, device=device, cache=cache or cache_folder())
    events = work.run()
    while True:
        try:
            next(events)
        except StopIteration as end:
            result: DatasetCheck = end.value
            return result
