"""Images from a trained generator."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

from vitrail.events import Event, Image, Result, Summary
from vitrail.settings import DATA, METHOD, RUNNING, device_setting, setting
from vitrail.task import Task

COLUMNS = 8  # of the sheet


class GanSample(Task):
    """Generate images with a trained generator; image k has the seed --seed + k."""

    generator: Path = setting(..., "Run folder of `vitrail gan train`", panel=DATA, positional=True)
    label: tuple[str, ...] = setting(
        (),
        "Class, or attributes, e.g. Male=1; default: as among the training images",
        panel=METHOD,
        flag="--class",
        repeated=True,
    )
    count: int = setting(16, "Number of images", panel=METHOD, ge=1, le=10_000)
    seed: int = setting(0, "Seed of the first image", panel=RUNNING, ge=0, lt=2**62)
    device: str = device_setting()

    def run(self) -> Iterator[Event]:
        """Yields each image and a sheet of all; the last event is the `Result`."""
        from vitrail.devices import choose_device
        from vitrail.formatting import command, count, duration
        from vitrail.gan.generator import load
        from vitrail.gan.sample_rows import image_rows
        from vitrail.plots import grid
        from vitrail.plots.encode import encode_png

        started, device = time.perf_counter(), choose_device(self.device)
        generator = load(self.generator, device=device)
        labels = generator.labels(self.label, self.count, self.seed)
        pixels = generator.images(generator.latents(self.seed, self.count), labels)
        entries = []
        for index, image in enumerate(image_rows(pixels, self.count)[:, 0]):
            seed = self.seed + index
            label = generator.label_name(labels[index])
            name = f"sample_{seed:06d}"
            entries.append({"seed": seed, "class": label or None, "output": f"images/{name}.png"})
            yield Image(name, f"seed {seed} {label}".strip(), encode_png(image), "sample", seed)
        rows = max(1, self.count // COLUMNS)
        sheet = grid({count(self.count, "image"): image_rows(pixels, rows)}, tile=64)
        caption = f"The first {rows * max(1, len(pixels) // rows)}, from seed {self.seed} on"
        yield Image("samples", caption, encode_png(sheet))
        seconds = time.perf_counter() - started
        architecture = generator.description["architecture"]
        lines = [
            ("images", f"{self.count:,} of {generator.size} x {generator.size} pixels, seeds {self.seed} to {seed}"),
            ("generator", architecture if generator.is_final else f"{architecture}, of the last checkpoint"),
            *([("label", ", ".join(self.label) or "as among the training images")] if generator.names else []),
            ("files", "images/samples.png (sheet), images/sample_*.png"),
            ("time", duration(seconds)),
        ]
        steps = [command("gan", each, self.generator) for each in ("evaluate", "interpolate", "export")]
        yield Summary(lines, steps)
        yield Result(
            {
                "generator": str(self.generator),
                "device": device,
                "skipped": [],
                "images": entries,
                "seconds": {"total": seconds},
            }
        )
