"""Images from a trained generator."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

from vitrail.events import Event, Image, Result
from vitrail.settings import setting
from vitrail.task import Task

COLUMNS = 8


class GanSample(Task):
    """Make images with a generator that `vitrail gan train` has trained; image k has the seed --seed + k."""

    generator: Path = setting(..., "Run folder of `vitrail gan train`", positional=True)
    wanted: tuple[str, ...] = setting(
        (), "A class, or attributes as Male=1; else as among the real images", flag="--class", repeated=True
    )
    count: int = setting(16, "How many", ge=1, le=10_000)
    seed: int = setting(0, "Seed of the first image", ge=0, lt=2**62)
    device: str = setting("auto", "Device: auto, cpu, cuda, cuda:1")

    def run(self) -> Iterator[Event]:
        """Yields each image and a sheet of all; the last event is the `Result`."""
        from vitrail.devices import choose_device
        from vitrail.plots import grid
        from vitrail.plots.encode import encode_png
        from vitrail.tasks.gan_generator import read_generator
        from vitrail.tasks.gan_train_report import image_rows

        started = time.perf_counter()
        device = choose_device(self.device)
        generator = read_generator(self.generator, device)
        labels = generator.labels(self.wanted, self.count, self.seed)
        pixels = generator.images(generator.latents(self.seed, self.count), labels)
        entries = []
        for index, image in enumerate(image_rows(pixels, self.count)[:, 0]):
            seed, told = self.seed + index, ""
            if generator.names:
                told = generator.told(labels[index])
            name = f"sample_{seed:06d}"
            entries.append({"seed": seed, "class": told or None, "output": f"images/{name}.png"})
            yield Image(name, f"seed {seed} {told}".strip(), encode_png(image), "sample", seed)
        whole = max(1, self.count // COLUMNS)
        sheet = grid({f"{self.count} images": image_rows(pixels, whole)}, tile=64)
        yield Image(
            "samples", f"The first {whole * max(1, len(pixels) // whole)}, from seed {self.seed} on", encode_png(sheet)
        )
        yield Result(
            {
                "generator": str(self.generator),
                "device": device,
                "skipped": [],
                "images": entries,
                "seconds": {"total": time.perf_counter() - started},
            }
        )
