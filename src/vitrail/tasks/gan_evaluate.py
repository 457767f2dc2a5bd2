"""Evaluation of a trained generator: other metrics, on other or on more images."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from vitrail.events import Event, Result, Summary
from vitrail.settings import DATA, MEASURING, RUNNING, device_setting, home_setting, setting
from vitrail.task import Task
from vitrail.tasks.gan_train import EXTRACTOR_HELP


class GanEvaluate(Task):
    """Measure the images of a trained generator: each metric beside its baseline, the same of real images."""

    generator: Path = setting(..., "Run folder of `vitrail gan train`", panel=DATA, positional=True)
    data: str = setting("", "Real images to compare with; default: those of the training", panel=DATA, place="images")
    feature_extractor: str = setting("auto", EXTRACTOR_HELP, panel=MEASURING)
    samples: int = setting(10_000, "Images on each side, at most as many as there are", panel=MEASURING, ge=8)
    gan_train: bool = setting(True, "GAN-train score: a classifier trained on generated images", panel=MEASURING)
    seed: int = setting(0, "Seed of the generated images", panel=RUNNING, ge=0, lt=2**62)
    download: bool = setting(False, "Download of a named data set", panel=DATA, written=True)
    device: str = device_setting()
    cache: Path = home_setting()

    def run(self) -> Iterator[Event]:
        """Yields the table of metrics; the last event is the `Result`."""
        from vitrail.datasets.changes import files_table
        from vitrail.formatting import command, duration, percent
        from vitrail.gan.evaluation import EvaluationEnd, evaluate, open_evaluation_data
        from vitrail.gan.generator import load
        from vitrail.gan.results import metric_lines
        from vitrail.tasks.gan_train_report import metric_table

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
        for event in events:
            if not isinstance(event, EvaluationEnd):
                yield event
                continue
            yield files_table(data.rows)
            yield metric_table(event.metrics, event.values)
            lines = [("data", data.opened.card(data.source).line()), *metric_lines(event.metrics, event.values)]
            if event.gan_train is not None:
                score, baseline = (percent(event.gan_train[key]) for key in ("accuracy", "baseline"))
                lines.append(("GAN-train score", f"{score} (classifier trained on real images: {baseline})"))
            lines.append(("time", duration(event.values["seconds"]["total"])))
            yield Summary(lines, [command("gan", "sample", self.generator, "--count", 64)])
            card = data.opened.card(data.source).values()
            skipped = list(data.opened.skipped)
            yield Result({"generator": str(self.generator), "data": card, "skipped": skipped, **event.values})
