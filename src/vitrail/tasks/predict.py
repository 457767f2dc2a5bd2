"""Pictures in, the classes that a classifier made by `transfer` gives them out."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from vitrail.settings import cache_folder, setting
from vitrail.tasks.sharded import Sharded

if TYPE_CHECKING:
    from vitrail.tasks.sharded import Work


class Predict(Sharded):
    """Classify pictures with a classifier that `vitrail transfer` made."""

    classifier: Path = setting(..., "Run folder of `vitrail transfer`", positional=True)
    pictures: tuple[Path, ...] = setting(
        ..., "Pictures, folders of pictures, tar files, tables with a column file, or patterns", positional=True
    )
    top: int = setting(3, "How many classes to show", ge=1)
    device: str = setting("auto", "Device: auto, cpu, cuda, cuda:1")
    cache: Path = setting(cache_folder(), "Folder of the feature cache; shards do without")
    use_cache: bool = setting(True, "Keep features for the next run")

    def opened(self) -> Work:
        """The classifier, and the list of pictures."""
        from vitrail.tasks.predict_work import Prediction  # noqa: PLC0415  (`--help` reads this module: nothing heavy)

        return Prediction(self)
