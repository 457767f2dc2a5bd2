"""Images in, the same images with other attributes out: older, younger, as a man, as a woman."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

from vitrail.errors import BadImage
from vitrail.events import Event, Note, Progress, Result
from vitrail.settings import cache_folder, setting
from vitrail.task import Task


class GanEdit(Task):
    """Change attributes of images with a generator that `vitrail gan train` has trained on attributes (IcGAN)."""

    generator: Path = setting(..., "Run folder of `vitrail gan train`", positional=True)
    images: tuple[Path, ...] = setting(..., "Images, folders of images, or patterns", positional=True)
    wanted: tuple[str, ...] = setting((), "What shall be so, as Male=1 or Young=0", flag="--set", repeated=True)
    refine: int = setting(100, "Steps that bring the encoder's answer nearer to the image; 0: none", ge=0)
    details: bool = setting(
        True, "Put the change onto the image itself; no: what the generator alone draws, without its details"
    )
    strength: float = setting(1.0, "How far an attribute is set; 1: as in images learned from", gt=0, le=4)
    steps: int = setting(7, "Images of the strip from before to after", ge=2, le=64)
    download: bool = setting(False, "Let the data set that the judge learns from be downloaded")
    device: str = setting("auto", "Device: auto, cpu, cuda, cuda:1")
    cache: Path = setting(cache_folder().parent, "Folder for judges and downloaded data")

    def run(self) -> Iterator[Event]:
        """Yields each image's files, two sheets and a table; the last event is the `Result`."""
        from vitrail.datasets.batches import batches
        from vitrail.devices import choose_device
        from vitrail.image_files import find_images
        from vitrail.interrupts import until_stopped
        from vitrail.preprocessing import Preprocessing
        from vitrail.tasks.gan_edit_images import open_editor
        from vitrail.tasks.gan_edit_measures import open_measures
        from vitrail.tasks.gan_edit_report import Report

        started = time.perf_counter()
        device = choose_device(self.device)
        editor = open_editor(self, device)
        files = find_images(self.images)
        measures = yield from open_measures(self, editor.generator, device)
        report = Report(editor, measures.seen)
        size = editor.generator.size

        def edited() -> Iterator[Event]:
            done = 0
            for batch in batches(files, Preprocessing(size, size)):
                report.skipped += batch.skipped
                if batch.files:
                    found = yield from editor.edit(batch.pixels)
                    yield from report.add(batch.files, found, measures.measure(found, editor.wishes))
                done += len(batch.files) + len(batch.skipped)
                yield Progress("editing", done, len(files))

        yield from until_stopped(edited(), lambda: len(report.images))
        for skip in report.skipped:
            yield Note(f"Skipped: {skip['reason']}")
        if not report.images:
            raise BadImage(f"No image could be read; the first one: {report.skipped[0]['reason']}")
        yield from report.finished()
        yield Result(
            {
                "generator": str(self.generator),
                "backbone": measures.identities,
                "device": device,
                "skipped": report.skipped,
                "judge": measures.judge_figures,
                **report.means(),
                "images": report.images,
                "seconds": {"total": time.perf_counter() - started},
            }
        )
