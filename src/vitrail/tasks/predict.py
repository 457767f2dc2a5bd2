"""Classification of images with a classifier of `transfer`: the settings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vitrail.events import Event
from vitrail.formatting import command
from vitrail.settings import DATA, NETWORK, OUTPUT, RUNNING, cache_setting, device_setting, setting
from vitrail.sharding.sharded_task import Sharded

if TYPE_CHECKING:
    from vitrail.datasets.data_card import DataCard
    from vitrail.sharding.work import Work


class Predict(Sharded):
    """Classify images with a classifier made by `vitrail transfer`."""

    classifier: Path = setting(..., "Run folder of `vitrail transfer`", panel=NETWORK, positional=True)
    images: tuple[Path, ...] = setting(
        ...,
        "Images, folders, tar files, tables with a column `file`, or patterns",
        panel=DATA,
        positional=True,
        place="images",
    )
    top_k: int = setting(1, "Number of classes listed for each image", panel=OUTPUT, ge=1)
    device: str = device_setting()
    cache: Path = cache_setting()
    use_cache: bool = setting(True, "Feature cache (never with --shards)", panel=RUNNING)

    def prepare(self) -> Work:
        """Opens the classifier, and lists the images."""
        from vitrail.transfer.predict_work import PredictWork

        return PredictWork(
            self.classifier,
            self.images,
            top_k=self.top_k,
            device=self.device,
            cache=self.cache if self.use_cache and not self.is_sharded else None,
            deterministic=self.is_sharded,
            report=self._report,
        )

    def _report(self, files: Sequence[Path], images: Sequence[Mapping[str, Any]], card: DataCard) -> Iterator[Event]:
        from vitrail.tasks.predict_report import report

        steps = [command("explain", images[0]["file"], "--backbone", self.classifier)]
        yield from report(files, images, self.top_k, card, steps)
