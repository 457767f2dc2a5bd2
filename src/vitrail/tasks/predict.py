"""Pictures in, the classes that a classifier made by `transfer` gives them out."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

from vitrail.errors import BadPicture
from vitrail.events import Event, Note, Result
from vitrail.settings import Task, cache_folder, setting


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
        from vitrail.image_files import find_pictures  # noqa: PLC0415  (`--help` reads this module: nothing heavy above)
        from vitrail.tasks.answers import answers, shown  # noqa: PLC0415
        from vitrail.transfer.classifier import read_classifier  # noqa: PLC0415
        from vitrail.transfer.features import Extractor, shown_skips  # noqa: PLC0415
        from vitrail.transfer.joined import join  # noqa: PLC0415
        from vitrail.transfer.scaling import scale  # noqa: PLC0415

        started = time.perf_counter()
        kept = read_classifier(self.classifier)
        files = find_pictures(self.pictures)
        extractors = [
            Extractor(
                member.recipe,
                member.layers,
                weights=member.weights,
                flip=kept.about["flip"],
                cache=self.cache if self.use_cache else None,
                device=self.device,
            )
            for member in kept.members
        ]
        joined = yield from join(extractors, files)
        skipped = shown_skips(joined.skipped)
        if not len(joined.kept):
            raise BadPicture(f"No picture could be read; the first one: {skipped[0]['reason']}")
        blocks = [block for layers in joined.blocks.values() for block in layers.values()]
        probabilities = kept.head.probabilities(scale(blocks, kept.about["scaling"]))
        read = [files[index] for index in joined.kept]
        found = answers(read, probabilities, kept.about["classes"], self.top)
        yield from shown(read, found)
        for skip in skipped:
            yield Note(f"Skipped: {skip['reason']}")
        yield Result(
            {
                "backbone": [extractor.identity() for extractor in extractors],
                "device": joined.device or self.device,
                "skipped": skipped,
                "pictures": found,
                "seconds": {"total": time.perf_counter() - started},
            }
        )
