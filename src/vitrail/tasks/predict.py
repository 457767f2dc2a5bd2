"""Pictures in, the classes that a classifier made by `transfer` gives them out."""

from __future__ import annotations

import time
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from vitrail.backbones import BACKBONES
from vitrail.errors import BadPicture
from vitrail.events import Event, Note, Progress, Result
from vitrail.image_files import find_pictures
from vitrail.settings import Task, cache_folder, setting
from vitrail.tasks.classify import answers, shown
from vitrail.transfer.features import Extraction, Extractor, averaged, shown_skips
from vitrail.transfer.scaling import scale


class Predict(Task):
    """Classify pictures with a classifier that `vitrail transfer` made."""

    classifier: Path = setting(..., "Run folder of `vitrail transfer`", positional=True)
    pictures: tuple[Path, ...] = setting(..., "Pictures, folders of pictures, or patterns", positional=True)
    top: int = setting(3, "How many classes to show", ge=1)
    device: str = setting("auto", "Device: auto, cpu, cuda, cuda:1")
    cache: Path = setting(cache_folder(), "Folder of the feature cache")
    use_cache: bool = setting(True, "Keep features for the next run")

    def run(self) -> Iterator[Event]:
        """Yields a table and a picture with bars; the last event is the `Result`."""
        from vitrail.transfer.classifier import read_classifier  # noqa: PLC0415  (imports torch)

        started = time.perf_counter()
        description, head = read_classifier(self.classifier)
        files = find_pictures(self.pictures)
        blocks: list[np.ndarray] = []
        for member in description["members"]:
            extraction = yield from self._features(member, files, description["flip"])
            blocks += [extraction.features[layer] for layer in member["layers"] if layer in extraction.features]
        skipped = shown_skips(extraction.skipped)
        if not len(extraction.kept):
            raise BadPicture(f"No picture could be read; the first one: {skipped[0]['reason']}")
        read = [files[index] for index in extraction.kept]
        probabilities = head.probabilities(scale(blocks, description["scaling"]))
        yield from shown(read, probabilities, description["classes"], self.top)
        for skip in skipped:
            yield Note(f"Skipped: {skip['reason']}")
        yield Result(
            {
                "backbone": description["backbones"],
                "device": self.device,
                "skipped": skipped,
                "pictures": answers(read, probabilities, description["classes"], self.top),
                "seconds": {"total": time.perf_counter() - started},
            }
        )

    def _features(
        self, member: dict[str, Any], files: list[Path], flip: bool
    ) -> Generator[Progress | Note, None, Extraction]:
        weights = Path(member["weights"]) if member.get("weights") else None
        cache = self.cache if self.use_cache else None
        recipe, layers = BACKBONES[member["backbone"]], tuple(member["layers"])
        plain = yield from Extractor(recipe, layers, weights, cache=cache, device=self.device).run(files)
        if not flip:
            return plain
        mirrored = yield from Extractor(recipe, layers, weights, mirrored=True, cache=cache, device=self.device).run(
            files
        )
        return averaged(plain, mirrored)
