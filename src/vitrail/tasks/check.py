"""Check of a data set before it is learned from: the settings."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

from vitrail.backbones import DEFAULT_BACKBONE
from vitrail.events import Event, Note, Result, skipped_notes
from vitrail.formatting import command
from vitrail.settings import (
    DATA,
    NETWORK,
    RUNNING,
    cache_setting,
    device_setting,
    seed_setting,
    setting,
    weights_setting,
)
from vitrail.task import Task


class Check(Task):
    """Check images before learning from them: copies, wrong labels, odd images, shortcuts, number of images."""

    folder: Path = setting(
        ...,
        "Images: folder of class folders, of parts or of images; table, or tar files",
        panel=DATA,
        positional=True,
        place="images",
    )
    backbone: str = setting(DEFAULT_BACKBONE, "Network whose features are compared, by name", panel=NETWORK)
    weights: Path | None = weights_setting()
    seed: int = seed_setting("the parts of the learning curve and the intervals")
    device: str = device_setting()
    cache: Path = cache_setting()
    use_cache: bool = setting(True, "Feature cache", panel=RUNNING)

    def run(self) -> Iterator[Event]:
        """Yields progress, tables, contact sheets and the page; the last event is the `Result`."""
        from vitrail.dataset_check import open_check
        from vitrail.tasks.check_report import report

        started = time.perf_counter()
        work = open_check(
            self.folder,
            backbone=self.backbone,
            weights=self.weights,
            seed=self.seed,
            device=self.device,
            cache=self.cache if self.use_cache else None,
            home=self.cache.parent / "datasets",
        )
        check = yield from work.run()
        yield from skipped_notes(check.skipped)
        yield from map(Note, work.data.notes)
        seconds = time.perf_counter() - started
        card = work.card(check)
        network = ("--backbone", self.backbone) if self.backbone != DEFAULT_BACKBONE else ()
        weights = ("--weights", self.weights) if self.weights else ()
        train = command("transfer", self.folder, *network, *weights)
        yield from report(check, work.data, card, train=train, seconds=seconds)
        yield Result(
            {
                **check.values(),
                "data": card.values(),
                "backbone": [work.extractor.identity()],
                "seconds": {"total": seconds},
            }
        )
