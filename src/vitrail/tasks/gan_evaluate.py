"""What a trained generator's images are worth, measured again: by another network, on other images, on more."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from vitrail.errors import BadRun, BadSetting
from vitrail.events import Event, Note, Result, Table
from vitrail.runs import read_run
from vitrail.settings import cache_folder, setting
from vitrail.task import Task


class GanEvaluate(Task):
    """Measure the images of a trained generator: each figure with what real images get for the same count."""

    generator: Path = setting(..., "Run folder of `vitrail gan train`", positional=True)
    data: str = setting("", "Real images to compare with; else those it was trained on")
    samples: int = setting(10_000, "Images on each side, if there are so many", ge=8)
    measure: str = setting(
        "auto", "What measures: judge, a backbone, or inception:FILE; auto: judge where there are labels"
    )
    gan_train: bool = setting(True, "Teach a judge from generated images alone and ask it about real ones (GAN-train)")
    seed: int = setting(0, "Seed of the images that are measured", ge=0, lt=2**62)
    download: bool = setting(False, "Let a data set be downloaded")
    device: str = setting("auto", "Device: auto, cpu, cuda, cuda:1")
    cache: Path = setting(cache_folder().parent, "Folder for judges and downloaded data")

    def run(self) -> Iterator[Event]:
        """Yields the table of figures; the last event is the `Result`."""
        from vitrail.datasets.open_pixels import open_pixels
        from vitrail.devices import choose_device
        from vitrail.tasks.gan_evaluation import Evaluation, taught
        from vitrail.tasks.gan_generator import read_generator
        from vitrail.tasks.gan_readers import JudgeReader, open_reader
        from vitrail.tasks.gan_report import metric_rows
        from vitrail.tasks.gan_run import wish_of
        from vitrail.tasks.gan_train import GanTrain

        started = time.perf_counter()
        device = choose_device(self.device)
        generator = read_generator(self.generator, device)
        if read_run(self.generator).task != "gan-train":
            raise BadRun(
                f"{str(self.generator)!r} does not say what its generator was trained on; give a run of gan train."
            )
        trained = GanTrain(**generator.settings)
        wish = replace(wish_of(trained), home=self.cache / "datasets", download=self.download)
        if self.data:
            wish = replace(wish, labels=None, attributes=generator.names if generator.has_attributes else ())
        opened = open_pixels(self.data or trained.data, wish)
        for note in opened.notes:
            yield Note(note)
        if generator.names and opened.train.names != generator.names:
            raise BadSetting(
                f"The generator is told {', '.join(generator.names)}, and these images are "
                f"{', '.join(opened.train.names) or 'unnamed'}; images with the same names would work."
            )
        reader = yield from open_reader(
            self.measure, opened.train, opened.held_out, seed=trained.seed, device=device, cache=self.cache / "judges"
        )
        evaluation = Evaluation(reader, opened.train, opened.held_out, count=self.samples, seed=self.seed)
        labels = evaluation.labels if generator.names else evaluation.labels.new_zeros(evaluation.count).long()
        pixels = generator.images(generator.latents(self.seed, evaluation.count), labels)
        measured = evaluation.measure(pixels, labels, conditional=bool(generator.names))
        figures: dict[str, Any] = {"metrics": evaluation.named(measured), "label_agreement": measured.label_agreement}
        if self.gan_train and generator.names:
            learned = yield from taught(pixels, labels, opened, seed=self.seed, device=device)
            figures |= {"gan_train": learned}
        yield Table("metrics", "Samples", ("figure", "samples", "real images"), metric_rows(evaluation, measured))
        if "gan_train" in figures:
            yield Note(
                f"GAN-train: {learned['accuracy']:.2%} of real images, against {learned['floor']:.2%} when "
                f"taught from {learned['n']} real ones."
            )
        yield Result(
            {
                "generator": str(self.generator),
                "backbone": [{"name": reader.name, "sha256": reader.weights_sha256}],
                "device": device,
                "skipped": [{"file": "", "reason": note} for note in opened.skipped],
                "judge": reader.figures() if isinstance(reader, JudgeReader) else None,
                **figures,
                "label_agreement_per_name": measured.per_name,
                "alarms": [],
                "seconds": {"total": time.perf_counter() - started},
            }
        )
