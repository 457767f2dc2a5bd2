"""Evaluation of generated images: those of a trained generator, or of any program."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Self

from pydantic import model_validator

from vitrail.errors import BadSetting
from vitrail.events import Event
from vitrail.formatting import command, display_name
from vitrail.settings import DATA, MEASURING, RUNNING, device_setting, home_setting, setting
from vitrail.task import Task
from vitrail.tasks.gan_train import EXTRACTOR_HELP


class GanEvaluate(Task):
    """Measure generated images, each metric beside the same of real images: those of a generator, or any folder's."""

    generator: Path = setting(
        ...,
        "Run of `vitrail gan train`; with --against: images of any program",
        panel=DATA,
        positional=True,
    )
    against: str | None = setting(None, "Real images to measure generated ones by", panel=DATA, place="path")
    data: str | None = setting(
        None, "Real images for a generator; default: those of its training", panel=DATA, place="images"
    )
    size: int | None = setting(
        None, "With --against: side in pixels; default: the samples' median, 256 at most", panel=DATA, ge=8, le=1024
    )
    feature_extractor: str = setting("auto", EXTRACTOR_HELP, panel=MEASURING)
    samples: int = setting(10_000, "Images on each side, at most as many as there are", panel=MEASURING, ge=8)
    gan_train: bool = setting(True, "GAN-train score: a classifier trained on generated images", panel=MEASURING)
    seed: int = setting(0, "Seed of the generated images", panel=RUNNING, ge=0, lt=2**62)
    download: bool = setting(False, "Download of a named data set", panel=DATA, written=True)
    device: str = device_setting()
    cache: Path = home_setting()

    def run(self) -> Iterator[Event]:
        """Yields the table of metrics; the last event is the `Result`."""
        from vitrail.image_files import images_below
        from vitrail.runs import read_run

        is_run, name = (self.generator / "settings.json").is_file(), display_name(self.generator)
        if self.against and is_run and read_run(self.generator).task != "gan-sample":
            raise BadSetting(
                f"'{name}' is a run, not a folder of generated images. Use --data for --against, or a run of "
                "`vitrail gan sample`."
            )
        if self.against:
            yield from self._images(self.against)
            return
        if self.generator.is_dir() and not is_run and next(images_below(self.generator), None):
            raise BadSetting(f"'{name}' is a folder of images, not a run. Use --against REAL_IMAGES to measure them.")
        yield from self._generator()

    def _generator(self) -> Iterator[Event]:
        from vitrail.gan.evaluation import evaluate, open_evaluation_data
        from vitrail.gan.evaluation_report import report_generator
        from vitrail.gan.generator import load

        generator = load(self.generator, device=self.device)
        data = open_evaluation_data(generator, self.data, home=self.cache / "datasets", download=self.download)
        events = evaluate(
            generator,
            data,
            extractor=self.feature_extractor,
            samples=self.samples,
            gan_train=self.gan_train,
            seed=self.seed,
            device=self.device,
            cache=self.cache,
        )
        following = command("gan", "sample", self.generator, "--count", 64)
        yield from report_generator(events, data, name=str(self.generator), following=following)

    def _images(self, against: str) -> Iterator[Event]:
        from vitrail.gan.evaluation_report import report_images
        from vitrail.gan.image_evaluation import evaluate_images, open_compared

        compared = open_compared(
            self.generator, against, size=self.size, seed=self.seed, cache=self.cache, download=self.download
        )
        events = evaluate_images(
            compared,
            extractor=self.feature_extractor,
            most=self.samples,
            seed=self.seed,
            device=self.device,
            cache=self.cache,
        )
        yield from report_images(events, compared, name=str(self.generator))

    @model_validator(mode="after")
    def _settings_that_go_together(self) -> Self:
        if self.against and self.data:
            raise BadSetting("--data is for a generator, and --against for a folder of images. Use one of the two.")
        if self.size is not None and not self.against:
            raise BadSetting("--size is for a folder of generated images: a generator has its own. Leave it out.")
        return self
