"""Report of a GAN training: samples of the same latents after each epoch, curves, tables, summary and weights."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor, nn

from vitrail.datasets.changes import files_table
from vitrail.decoding import decode
from vitrail.errors import BadImage
from vitrail.events import Attachment, Event, Image, Summary, Table, Weights
from vitrail.formatting import duration, number
from vitrail.gan.evaluation_report import metric_table
from vitrail.gan.generator_card import generator_card
from vitrail.gan.results import alarm_names, metric_lines
from vitrail.gan.sample_rows import ROWS, image_rows, real_rows, sample_grid_labels
from vitrail.gan.scale_figure import scale_figure
from vitrail.gan.training_curves import training_curves
from vitrail.gan.training_events import EpochEnd, TrainingEnd, TrainingStart
from vitrail.gan.words import samples_line
from vitrail.gan_training.sampling import generate_images, latents_of
from vitrail.plots import animation, grid
from vitrail.plots.encode import encode_png

FRAMES = 60  # of the animation, at most
CAPTION_VALUES = ("frechet-distance", "coverage", "label_agreement")


class TrainingReport:
    """Turns the events of a training into images, plots, tables and weights.

    Args:
        resume: the resumed run folder, whose earlier samples are frames of the animation, too.
    """

    def __init__(self, start: TrainingStart, *, resume: Path | None) -> None:
        self._start, self._resume = start, resume
        train, self._conditional = start.data.train, bool(start.description["names"])
        self._labels, self._names = sample_grid_labels(train if self._conditional else None)
        latent_size = int(start.description["arguments"]["latent_size"])
        self._latents = latents_of(0, len(self._labels), latent_size)
        self._frames: dict[int, np.ndarray] = {}  # by epoch
        self._real = real_rows(train, self._labels if self._conditional else None)

    def start(self) -> Iterator[Event]:
        """Training images, and the table of all by which they are known again."""
        yield files_table(self._start.data.rows)
        yield Image("real", "Training images", encode_png(grid({"real": self._real}, self._names)))

    def epoch(self, event: EpochEnd) -> Iterator[Event]:
        """Samples of the EMA, from the same latents after each epoch."""
        samples, epoch = self._samples(event.generator), event.epoch
        sheet = grid({f"epoch {epoch}": samples, "real": self._real}, self._names)
        self._frames[epoch] = grid({f"epoch {epoch}": samples}, self._names)
        shown = [name for name in CAPTION_VALUES if name in event.values and name not in self._start.refused]
        values = [f"{name} {number(event.values[name])}" for name in shown]
        caption = f"Samples after epoch {epoch}: {', '.join(values) or 'not evaluated'}"
        yield Image(f"samples_{epoch:04d}", caption, encode_png(sheet), "samples", epoch)

    def finish(self, end: TrainingEnd) -> Iterator[Event]:
        """Samples of the best epoch, the animation, curves, tables, and the generator's weights."""
        generated = generate_images(end.generator, self._latents, self._labels)
        samples, epoch = self._rows(generated), end.description["epoch"]
        yield Image(
            "samples",
            f"Samples of the best epoch, {epoch}",
            encode_png(grid({f"generated, epoch {epoch}": samples, "real": self._real}, self._names)),
        )
        yield from scale_figure(self._start.data.held_out.images, generated, end.values["scale"])
        frames = self._animation_frames(samples, end.history)
        if frames:
            interval = max(1, -(-len(frames) // FRAMES))
            yield Attachment("images", "evolution.gif", animation(frames[::-interval][::-1], milliseconds=250))
        yield from training_curves(self._start, end.history)
        yield from _tables(end)
        tensors = {name: value.cpu().numpy() for name, value in end.generator.state_dict().items()}
        yield Weights("generator", tensors, dict(end.description), generator_card(end, self._start.data.train))

    def summary(self, end: TrainingEnd, seconds: float) -> Summary:
        """What was trained, how good it is beside its baseline, and what to do next."""
        values, data = end.values, self._start.data
        lines = [
            ("data", data.opened.card(data.source).line()),
            ("generator", f"{values['architecture']}, {values['loss']} loss, epoch {end.description['epoch']} (best)"),
            *([("samples", words)] if (words := samples_line(values)) else []),
            *metric_lines(end.metrics, values),
            ("alarms", alarm_names(values["alarms"]) or "none"),
            *([("rollbacks", str(values["rollbacks"]))] if values["rollbacks"] else []),
            ("time", f"{duration(seconds)}, {number(round(values['images_per_second'] or 0))} images/s in training"),
        ]
        return Summary(lines, ["vitrail gan sample {run} --count 64", "vitrail gan evaluate {run}"])

    def data_values(self) -> dict[str, Any]:
        """The keys `data` and `skipped` of `result.json`."""
        data = self._start.data
        sizes = {"train": len(data.train), "held_out": len(data.held_out), "names": list(data.train.names)}
        return {"skipped": list(data.opened.skipped), "data": {**data.opened.card(data.source).values(), **sizes}}

    def _samples(self, generator: nn.Module) -> np.ndarray:
        return self._rows(generate_images(generator, self._latents, self._labels))

    def _rows(self, generated: Tensor) -> np.ndarray:
        return image_rows(generated, len(self._names) or ROWS)

    def _animation_frames(self, samples: np.ndarray, history: Sequence[Mapping[str, Any]]) -> list[np.ndarray]:
        """A frame for each epoch; those before a resume are cut out of the stored sheets."""
        shape = grid({"": samples}, self._names).shape
        before = {entry["epoch"] for entry in history} - self._frames.keys() if self._resume else set()
        for epoch in before:
            with suppress(BadImage):  # deleted, or of an epoch that failed
                _, sheet = decode(f"{self._resume}/images/samples_{epoch:04d}.png")
                frame = np.asarray(sheet)[: shape[0], : shape[1]]
                self._frames |= {epoch: frame} if frame.shape == shape else {}
        return [self._frames[epoch] for epoch in sorted(self._frames)]


def _tables(end: TrainingEnd) -> Iterator[Event]:
    yield metric_table(end.metrics, end.values)
    alarms = end.values["alarms"]
    if alarms:
        columns = ("epoch", "step", "name", "metric", "value", "threshold")
        rows = [[alarm[column] for column in columns] for alarm in alarms]
        yield Table("alarms", "Alarms", columns, rows, prominent=False)
    names = list(dict.fromkeys(name for entry in end.history for name in entry))
    rows = [[entry.get(name) for name in names] for entry in end.history]
    yield Table("history", "Epochs", names, rows, prominent=False)
