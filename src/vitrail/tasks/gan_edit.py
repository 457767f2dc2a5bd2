"""Pictures in, the same pictures with other attributes out: older, younger, as a man, as a woman."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

from vitrail.errors import BadPicture
from vitrail.events import Event, Note, Progress, Result
from vitrail.settings import Task, cache_folder, setting


class GanEdit(Task):
    """Change attributes of pictures with a generator that `vitrail gan train` has trained on attributes (IcGAN)."""

    generator: Path = setting(..., "Run folder of `vitrail gan train`", positional=True)
    pictures: tuple[Path, ...] = setting(..., "Pictures, folders of pictures, or patterns", positional=True)
    wanted: tuple[str, ...] = setting((), "What shall be so, as Male=1 or Young=0", flag="--set", repeated=True)
    refine: int = setting(100, "Steps that bring the encoder's answer nearer to the picture; 0: none", ge=0)
    details: bool = setting(
        True, "Put the change onto the picture itself; no: what the generator alone draws, without its details"
    )
    strength: float = setting(1.0, "How far an attribute is set; 1: as in pictures learned from", gt=0, le=4)
    steps: int = setting(7, "Pictures of the strip from before to after", ge=2, le=64)
    download: bool = setting(False, "Let the data set that the judge learns from be downloaded")
    device: str = setting("auto", "Device: auto, cpu, cuda, cuda:1")
    cache: Path = setting(cache_folder().parent, "Folder for judges and downloaded data")

    def run(self) -> Iterator[Event]:
        """Yields each picture's files, two sheets and a table; the last event is the `Result`."""
        from vitrail.backbones.recipe import Preparation  # noqa: PLC0415  (`--help` reads this module: nothing heavy)
        from vitrail.devices import choose_device  # noqa: PLC0415
        from vitrail.image_files import find_pictures  # noqa: PLC0415
        from vitrail.tasks.gan_edit_measures import open_measures  # noqa: PLC0415
        from vitrail.tasks.gan_edit_pictures import open_editor  # noqa: PLC0415
        from vitrail.tasks.gan_edit_report import Report  # noqa: PLC0415
        from vitrail.tasks.network import batches  # noqa: PLC0415
        from vitrail.tasks.stopping import until_stopped  # noqa: PLC0415

        started = time.perf_counter()
        device = choose_device(self.device)
        editor = open_editor(self, device)
        files = find_pictures(self.pictures)
        measures = yield from open_measures(self, editor.generator, device)
        report = Report(editor, measures.seen)
        size = editor.generator.size

        def edited() -> Iterator[Event]:
            done = 0
            for batch in batches(files, Preparation(size, size)):
                report.skipped += batch.skipped
                if batch.files:
                    found = yield from editor.edit(batch.pixels)
                    yield from report.add(batch.files, found, measures.measure(found, editor.wishes))
                done += len(batch.files) + len(batch.skipped)
                yield Progress("editing", done, len(files))

        yield from until_stopped(edited(), lambda: len(report.pictures))
        for skip in report.skipped:
            yield Note(f"Skipped: {skip['reason']}")
        if not report.pictures:
            raise BadPicture(f"No picture could be read; the first one: {report.skipped[0]['reason']}")
        yield from report.finished()
        yield Result(
            {
                "generator": str(self.generator),
                "backbone": measures.identities,
                "device": device,
                "skipped": report.skipped,
                "judge": measures.judge_figures,
                **report.means(),
                "pictures": report.pictures,
                "seconds": {"total": time.perf_counter() - started},
            }
        )
