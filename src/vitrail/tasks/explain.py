"""Images in, maps of what a network looks at out, each with figures that say whether to believe it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Self

from pydantic import model_validator

from vitrail.attributions import ATTRIBUTIONS
from vitrail.errors import BadImage, BadSetting
from vitrail.events import Event, Note, Progress, Result
from vitrail.registry import display_name
from vitrail.settings import Names, setting
from vitrail.tasks.sharded import Sharded

if TYPE_CHECKING:
    from vitrail.sharding.work import Work


class Explain(Sharded):
    """Show which pixels speak for a class: saliency and other maps, each with its faithfulness."""

    images: tuple[Path, ...] = setting(..., "Images, folders of images, or patterns", positional=True)
    method: Names = setting(
        ("gradient",), f"Methods, by name: a,b. Known: {', '.join(map(display_name, ATTRIBUTIONS))}"
    )
    target: str = setting("top", "Class to explain, by name or number; top: the likeliest of each image")
    backbone: Names = setting(("squeezenet",), "Networks, by name, or run folders of `vitrail transfer`: a,b")
    faithfulness: bool = setting(True, "Measure deletion and insertion, and those of a random map")
    check: bool = setting(False, "Compare with the maps of the same network with random weights")
    localise: bool = setting(False, "Segment the image by the map: a mask and a box")
    samples: int | None = setting(None, "How many samples methods draw; else each method's own number", ge=1)
    noise: float = setting(0.15, "Deviation of the noise of smooth-grad and var-grad, in pixel intensity", gt=0)
    memory: int = setting(512, "MiB that what is computed at once may take", ge=16)
    weights: Path | None = setting(None, "Weights file of the network (safetensors, or a torch state dict)")
    seed: int = setting(0, "Seed of samples, random maps and random weights", ge=0)
    device: str = setting("auto", "Device: auto, cpu, cuda, cuda:1")

    def prepare(self) -> Work:
        """The networks, and the list of images."""
        from vitrail.tasks.explain_work import Explanation

        return Explanation(self)

    @model_validator(mode="after")
    def _arrays_only_in_shards(self) -> Self:
        if self.is_sharded and self.localise:
            raise BadSetting("--localise draws a region of each image, and shards keep arrays only; leave it out.")
        return self

    def run_unsharded(self) -> Iterator[Event]:
        """Yields maps, a figure and a table; the last event is the `Result`."""
        from vitrail.datasets.batches import batches
        from vitrail.image_files import find_images
        from vitrail.interrupts import until_stopped
        from vitrail.tasks.explain_maps import Explainer
        from vitrail.tasks.explain_report import Report
        from vitrail.transfer.classifier import open_network

        started = time.perf_counter()
        for name in self.method:
            ATTRIBUTIONS.check(name)
        files = find_images(self.images)
        networks = [open_network(name, weights=self.weights, device=self.device) for name in self.backbone]
        report = Report(self.method, [network.name for network in networks], self.localise)

        def maps() -> Iterator[Event]:
            for network in networks:
                explainer = Explainer(self, network)
                done = 0
                for batch in batches(files, network.reference.preprocessing):
                    for file, view in zip(batch.files, explainer.run(batch.pixels), strict=True):
                        yield from report.add(file, view)
                    done += len(batch.files) + len(batch.skipped)
                    report.skip(batch.skipped)
                    yield Progress("maps", done, len(files), detail=network.name)

        yield from until_stopped(maps(), lambda: len(report.images))
        for skip in report.skipped:
            yield Note(f"Skipped: {skip['reason']}")
        if not report.images:
            raise BadImage(f"No image could be read; the first one: {report.skipped[0]['reason']}")
        yield from report.finished()
        yield Result(
            {
                "backbone": [network.identity for network in networks],
                "device": networks[0].device,
                "skipped": report.skipped,
                "images": report.images,
                "seconds": {"total": time.perf_counter() - started},
            }
        )
