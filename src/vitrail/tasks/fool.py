"""Images in, nearly the same images out that a network takes for something else: files that are checked."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from pydantic import model_validator

from vitrail.attacks import ATTACKS
from vitrail.errors import BadImage, BadSetting
from vitrail.events import Event, Note, Preview, Progress, Result
from vitrail.registry import display_name
from vitrail.settings import Names, setting
from vitrail.task import Task


class Fool(Task):
    """Change images a little, so that a network takes them for something else; every saved file is checked."""

    images: tuple[Path, ...] = setting(..., "Images, folders of images, or patterns", positional=True)
    target: Names = setting(("any",), "Class to be taken for, by name or number; several: one an image; any: another")
    method: str = setting("minimal-l2", f"Attack, by name. Known: {', '.join(map(display_name, ATTACKS))}")
    backbone: str = setting("squeezenet", "Network, by name, or a run folder of `vitrail transfer`")
    radius: float | None = setting(
        None, "How far a pixel (linf) or all together (l2) may move, in intensity 0 to 1", gt=0
    )
    norm: Literal["linf", "l2"] = setting("linf", "What the radius limits, for attacks within one")
    confidence: float = setting(0.0, "By how much the new class's logit must exceed all others", ge=0)
    steps: int | None = setting(None, "Steps at most; else the attack's own number", ge=1)
    rate: float | None = setting(None, "Length of a step of gradient-ascent: 0.5 stands for 0.113 in intensity", gt=0)
    magnify: float = setting(10.0, "Factor by which the difference is shown enlarged", gt=0)
    memory: int = setting(512, "MiB that what is computed at once may take", ge=16)
    weights: Path | None = setting(None, "Weights file of the network (safetensors, or a torch state dict)")
    seed: int = setting(0, "Seed of attacks that draw", ge=0)
    live: float | None = setting(None, "Seconds between looks at an image that is not finished, in live/", gt=0)
    device: str = setting("auto", "Device: auto, cpu, cuda, cuda:1")

    def run(self) -> Iterator[Event]:
        """Yields the fooled images, a figure and a table; the last event is the `Result`."""
        from vitrail.image_files import find_images
        from vitrail.interrupts import until_stopped
        from vitrail.tasks.fool_images import Fooling, sized_batches
        from vitrail.tasks.fool_report import Report
        from vitrail.transfer.classifier import open_network

        started = time.perf_counter()
        ATTACKS.check(self.method)
        files = find_images(self.images)
        network = open_network(self.backbone, weights=self.weights, device=self.device)
        fooling, report = Fooling(self, network, files), Report(self.magnify)

        def changed() -> Iterator[Event]:
            done = 0
            for batch in sized_batches(files):
                report.skipped += batch.skipped
                for fooled in fooling.run(batch):
                    if isinstance(fooled, Preview):
                        yield fooled
                    else:
                        yield from report.add(fooled, fooling.read_back)
                done += len(batch.files) + len(batch.skipped)
                yield Progress("fooling", done, len(files), detail=network.name)

        yield from until_stopped(changed(), lambda: len(report.images))
        for skip in report.skipped:
            yield Note(f"Skipped: {skip['reason']}")
        if not report.images:
            raise BadImage(f"No image could be read; the first one: {report.skipped[0]['reason']}")
        yield from report.finished()
        yield Result(
            {
                "backbone": [network.identity],
                "device": network.device,
                "skipped": report.skipped,
                "images": report.images,
                "seconds": {"total": time.perf_counter() - started},
            }
        )

    @model_validator(mode="after")
    def _radius_where_it_is_needed(self) -> Fool:
        if self.method in ("fast-gradient", "projected-gradient", "auto-projected-gradient") and self.radius is None:
            raise BadSetting(f"{self.method} needs --radius; 0.00784 (two steps of 255) is a usual one for linf.")
        return self
