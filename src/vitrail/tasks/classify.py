"""Pictures in, names and percentages out."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from vitrail.backbones import BACKBONES
from vitrail.errors import BadPicture
from vitrail.events import Event, Note, Result
from vitrail.settings import Task, setting

if TYPE_CHECKING:
    from vitrail.backbones.recipe import Recipe


class Classify(Task):
    """Name what is in pictures: the classes a pretrained network finds likeliest."""

    pictures: tuple[Path, ...] = setting(..., "Pictures, folders of pictures, or patterns", positional=True)
    backbone: str = setting("efficientnet-lite0", "Network, by name")
    top: int = setting(5, "How many classes to show", ge=1)
    weights: Path | None = setting(None, "Weights file (safetensors, or a torch state dict)")
    device: str = setting("auto", "Device: auto, cpu, cuda, cuda:1")

    def run(self) -> Iterator[Event]:
        """Yields a table and a picture with bars; the last event is the `Result`."""
        from scipy.special import softmax  # noqa: PLC0415  (`--help` reads this module: nothing heavy above)

        from vitrail.backbones.imagenet import imagenet_classes  # noqa: PLC0415
        from vitrail.image_files import find_pictures  # noqa: PLC0415
        from vitrail.tasks.answers import answers, shown  # noqa: PLC0415
        from vitrail.transfer.features import Extractor, shown_skips  # noqa: PLC0415

        started = time.perf_counter()
        recipe: Recipe = BACKBONES[self.backbone]
        files = find_pictures(self.pictures)
        extractor = Extractor(recipe, ("logits",), self.weights, device=self.device)
        extraction = yield from extractor.run(files)
        skipped = shown_skips(extraction.skipped)
        if not len(extraction.kept):
            raise BadPicture(f"No picture could be read; the first one: {skipped[0]['reason']}")
        read = [files[index] for index in extraction.kept]
        names = imagenet_classes() if recipe.classes is None else recipe.classes
        found = answers(read, softmax(extraction.features["logits"].astype(float), axis=1), names, self.top)
        yield from shown(read, found)
        for skip in skipped:
            yield Note(f"Skipped: {skip['reason']}")
        yield Result(
            {
                "backbone": [extractor.identity()],
                "device": (extraction.forward or {}).get("device", self.device),
                "skipped": skipped,
                "pictures": found,
                "seconds": {"total": time.perf_counter() - started},
            }
        )
