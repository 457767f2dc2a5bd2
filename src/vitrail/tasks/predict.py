"""Images in, the classes that a classifier made by `transfer` gives them out."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from vitrail.settings import cache_folder, setting
from vitrail.tasks.sharded import Sharded

if TYPE_CHECKING:
    from vitrail.sharding.work import Work


class Predict(Sharded):
    """Classify images with a classifier that `vitrail transfer` made."""

    classifier: Path = setting(..., "Run folder of `vitrail transfer`", positional=True)
    images: tuple[Path, ...] = setting(
        ..., "Images, folders of images, tar files, tables with a column file, or patterns", positional=True
    )
    top: int = setting(3, "How many classes to show", ge=1)
    device: str = setting("auto", "Device: auto, cpu, cuda, cuda:1")
    cache: Path = setting(cache_folder(), "Folder of the feature cache; shards do without")
    use_cache: bool = setting(True, "Keep features for the next run")

    def prepare(self) -> Work:
        """The classifier, and the list of images."""
        from vitrail.tasks.predict_work import Prediction

        return Prediction(self)
