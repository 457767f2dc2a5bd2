"""Attribute editing of images with a trained generator."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from vitrail.errors import BadImage
from vitrail.events import Event, Progress, Result, skipped_notes
from vitrail.settings import DATA, METHOD, OUTPUT, device_setting, home_setting, setting
from vitrail.task import Task


class GanEdit(Task):
    """Edit attributes of images with a generator trained on attributes and its encoders (IcGAN)."""

    generator: Path = setting(..., "Run folder of `vitrail gan train`", panel=DATA, positional=True)
    images: tuple[Path, ...] = setting(
        ..., "Images, folders of images, or patterns", panel=DATA, positional=True, place="images"
    )
    attributes: tuple[str, ...] = setting(
        (), "Attribute and its new value, e.g. Male=1 or Young=0", panel=METHOD, flag="--set", repeated=True
    )
    inversion_steps: int = setting(
        100, "Steps of gradient descent on the latents, from the encoders' estimate; 0: none", panel=METHOD, ge=0
    )
    keep_details: bool = setting(
        True, "Change added to the original image; otherwise the generator's image alone", panel=METHOD
    )
    strength: float | None = setting(
        None,
        "Value that an attribute is set to; 1: as in the training images; default: the least whose effect is seen",
        panel=METHOD,
        gt=0,
        le=4,
    )
    steps: int = setting(7, "Images of the strip from before to after", panel=OUTPUT, ge=2, le=64)
    download: bool = setting(
        False, "Download of a named data set that the judge is trained on", panel=DATA, written=True
    )
    device: str = device_setting()
    cache: Path = home_setting()

    def run(self) -> Iterator[Event]:
        """Yields each image's files, two sheets and a table; the last event is the `Result`."""
        import time

        from vitrail.datasets.batches import batches
        from vitrail.devices import choose_device
        from vitrail.gan.edit_metrics import open_edit_metrics
        from vitrail.gan.editor import Editor, parse_edits
        from vitrail.gan.encoders import read_encoders
        from vitrail.gan.generator import load
        from vitrail.image_files import find_images
        from vitrail.interrupts import until_stopped
        from vitrail.preprocessing import Preprocessing
        from vitrail.tasks.gan_edit_report import Report

        started, device = time.perf_counter(), choose_device(self.device)
        generator = load(self.generator, device=device)
        edits = parse_edits(generator, self.attributes)
        editor = Editor(
            generator,
            read_encoders(self.generator, device),
            edits,
            inversion_steps=self.inversion_steps,
            keep_details=self.keep_details,
            strength=self.strength,
            steps=self.steps,
        )
        files = find_images(self.images)
        metrics = yield from open_edit_metrics(generator, cache=self.cache, download=self.download, device=device)
        report = Report({generator.names[index]: value > 0 for index, value in edits.items()}, metrics.judge_accuracy)

        def edited() -> Iterator[Event]:
            done = 0
            for batch in batches(files, Preprocessing(generator.size, generator.size)):
                report.skipped += batch.skipped
                if batch.files:
                    result = yield from editor.edit(batch.pixels)
                    yield from report.add(batch.files, result, metrics.measure(result, edits))
                done += len(batch.files) + len(batch.skipped)
                yield Progress("editing", done, len(files))

        yield from until_stopped(edited(), lambda: len(report.images))
        yield from skipped_notes(report.skipped)
        if not report.images:
            raise BadImage(f"No image could be read; the first one: {report.skipped[0]['reason']}")
        yield from report.finish()
        seconds = time.perf_counter() - started
        yield report.summary(self.generator, seconds)
        yield Result(
            {
                "generator": str(self.generator),
                "backbone": metrics.backbones,
                "device": device,
                "skipped": report.skipped,
                "judge": metrics.judge_values,
                **report.means(),
                "images": report.images,
                "seconds": {"total": seconds},
            }
        )
