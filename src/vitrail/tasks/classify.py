"""Images in, names and percentages out."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from vitrail.backbones import BACKBONES
from vitrail.errors import BadImage
from vitrail.events import Event, Note, Result
from vitrail.settings import setting
from vitrail.task import Task

if TYPE_CHECKING:
    from vitrail.backbones.spec import BackboneSpec


class Classify(Task):
    """Name what is in images: the classes a pretrained network finds likeliest."""

    images: tuple[Path, ...] = setting(..., "Images, folders of images, or patterns", positional=True)
    backbone: str = setting("efficientnet-lite0", "Network, by name")
    top: int = setting(5, "How many classes to show", ge=1)
    weights: Path | None = setting(None, "Weights file (safetensors, or a torch state dict)")
    device: str = setting("auto", "Device: auto, cpu, cuda, cuda:1")

    def run(self) -> Iterator[Event]:
        """Yields a table and an image with bars; the last event is the `Result`."""
        from scipy.special import softmax

        from vitrail.backbones.imagenet import imagenet_classes
        from vitrail.image_files import find_images
        from vitrail.tasks.answers import answers, shown
        from vitrail.transfer.features import Extractor, shown_skips

        started = time.perf_counter()
        spec: BackboneSpec = BACKBONES[self.backbone]
        files = find_images(self.images)
        extractor = Extractor(spec, ("logits",), self.weights, device=self.device)
        extraction = yield from extractor.run(files)
        skipped = shown_skips(extraction.skipped)
        if not len(extraction.kept):
            raise BadImage(f"No image could be read; the first one: {skipped[0]['reason']}")
        read = [files[index] for index in extraction.kept]
        names = imagenet_classes() if spec.classes is None else spec.classes
        found = answers(read, softmax(extraction.features["logits"].astype(float), axis=1), names, self.top)
        yield from shown(read, found)
        for skip in skipped:
            yield Note(f"Skipped: {skip['reason']}")
        yield Result(
            {
                "backbone": [extractor.identity()],
                "device": (extraction.forward or {}).get("device", self.device),
                "skipped": skipped,
                "images": found,
                "seconds": {"total": time.perf_counter() - started},
            }
        )
