"""What a training shows: samples from the same noise after each epoch, real images beside them, and curves."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from vitrail.datasets.open_pixels import Opened
from vitrail.datasets.pixels import PixelSet, groups
from vitrail.decoding import decode
from vitrail.errors import BadImage, MissingExtra
from vitrail.events import Attachment, Event, Image, Note, Plot, Table, Weights
from vitrail.gan_training.sampling import generate_images, latents_of
from vitrail.images import to_rgb
from vitrail.plots import Axis, Line, animation, curve, grid
from vitrail.plots.encode import encode_png
from vitrail.tasks.gan_evaluation import Evaluation, Measured
from vitrail.tasks.gan_players import combination
from vitrail.tensors import Condition

if TYPE_CHECKING:
    from vitrail.tasks.gan_training_state import Training

ROWS, COLUMNS = 10, 10  # of a grid of samples, at most
FRAMES = 60  # of the animation
SHOWN = ("frechet-distance", "coverage", "label_agreement")


class Report:
    """Shows a training while it goes on, and keeps what came out."""

    def __init__(self, training: Training, opened: Opened, evaluation: Evaluation) -> None:
        self._training, self._opened, self._evaluation = training, opened, evaluation
        self._labels, self._names = rows_of(opened.train if training.conditional else None)
        self._latents = latents_of(0, len(self._labels), training.state.latent_size)
        self._frames: dict[int, np.ndarray] = {}  # by epoch
        self._real = real_rows(opened.train, self._labels if training.conditional else None)

    def start(self) -> Iterator[Event]:
        """What the generator is to learn."""
        yield Image("real", "Images to learn from", encode_png(grid({"real": self._real}, self._names)))

    def epoch(self) -> Iterator[Event]:
        """Samples of the moving average, from the same noise each time."""
        training = self._training
        samples = self._drawn(training.settled())
        sheet = grid({f"epoch {training.epochs_done}": samples, "real": self._real}, self._names)
        self._frames[training.epochs_done] = grid({f"epoch {training.epochs_done}": samples}, self._names)
        entry = training.history[-1]
        figures = [f"{name} {entry[name]:.4g}" for name in SHOWN if name in entry]
        caption = f"Samples after epoch {training.epochs_done}: {', '.join(figures) or 'not measured'}"
        epoch = training.epochs_done
        yield Image(f"samples_{epoch:04d}", caption, encode_png(sheet), "samples", epoch)

    def finish(self, generator: nn.Module, measured: Measured, final: Evaluation) -> Iterator[Event]:
        """The sheet of final samples, the animation, the curves, the tables, and the generator's weights."""
        training = self._training
        epoch = training.best["epoch"] if training.best else training.epochs_done
        samples = self._drawn(generator)
        yield Image(
            "samples",
            f"Samples of the best epoch, {epoch}",
            encode_png(grid({f"generated, epoch {epoch}": samples, "real": self._real}, self._names)),
        )
        frames = self._film(samples)
        if frames:
            each = max(1, -(-len(frames) // FRAMES))
            yield Attachment("images", "evolution.gif", animation(frames[::-each][::-1], milliseconds=250))
        yield from self._curves()
        yield from self._tables(measured, final)
        yield self._weights(generator, measured, final, epoch)

    def _film(self, samples: np.ndarray) -> list[np.ndarray]:
        """A frame for each epoch; those of before a `--resume` are cut out of the sheets that were kept then."""
        resume = self._training.task.resume
        shape = grid({"": samples}, self._names).shape
        before = {entry["epoch"] for entry in self._training.history} - self._frames.keys() if resume else set()
        for epoch in before:
            with suppress(BadImage):  # thrown away, or of an epoch that broke down
                _, sheet = decode(f"{resume}/images/samples_{epoch:04d}.png")
                frame = np.asarray(sheet)[: shape[0], : shape[1]]
                self._frames |= {epoch: frame} if frame.shape == shape else {}
        return [self._frames[epoch] for epoch in sorted(self._frames)]

    def _drawn(self, generator: nn.Module) -> np.ndarray:
        return shaped(generate_images(generator, self._latents, self._labels), len(self._names) or ROWS)

    def _curves(self) -> Iterator[Event]:
        history = self._training.history
        steps = [entry["step"] for entry in history]

        def line(key: str, name: str) -> Line:
            return Line(steps, [float("nan") if entry.get(key) is None else entry[key] for entry in history], name)

        measured = [entry for entry in history if "frechet-distance" in entry]
        floor = self._evaluation.floors["frechet-distance"]
        try:
            losses = [line("discriminator_loss", "D"), line("generator_loss", "G")]
            yield Plot("losses", "Losses, means of each epoch", curve(losses, Axis("step", "loss")))
            beliefs = [
                line("real", "D(x)"),
                line("d_fake_before_g", "D(G(z)) before"),
                line("d_fake_after_g", "D(G(z)) after"),
            ]
            yield Plot("beliefs", "What D takes for real", curve(beliefs, Axis("step", "D", percent_y=True)))
            if measured:
                at = [entry["step"] for entry in measured]
                distances = [Line(at, [entry["frechet-distance"] for entry in measured], "samples")]
                distances.append(Line([at[0], at[-1]], [floor, floor], "real images"))
                axis = Axis("step", f"Fréchet distance ({self._evaluation.reader.name}, N = {self._evaluation.count})")
                yield Plot("distance", "Fréchet distance while training, and its floor", curve(distances, axis))
                kept = [name for name in ("coverage", "precision", "label_agreement") if name in measured[0]]
                shares = [Line(at, [entry[name] for entry in measured], name.replace("_", " ")) for name in kept]
                yield Plot("scores", "Scores while training", curve(shares, Axis("step", "share", percent_y=True)))
        except MissingExtra as error:
            yield Note(f"{error} No curves were drawn.")

    def _tables(self, measured: Measured, final: Evaluation) -> Iterator[Event]:
        columns: tuple[str, ...] = ("figure", "samples", "real images")
        yield Table("metrics", "Samples of the best epoch", columns, metric_rows(final, measured))
        alarms = self._training.alarms
        if alarms:
            columns = ("epoch", "step", "name", "figure", "value", "threshold")
            yield Table("alarms", "Alarms", columns, [[alarm[column] for column in columns] for alarm in alarms])
        history = self._training.history
        names = list(dict.fromkeys(name for entry in history for name in entry))
        yield Table("history", "Epochs", names, [[entry.get(name) for name in names] for entry in history], shown=False)

    def _weights(self, generator: nn.Module, measured: Measured, final: Evaluation, epoch: int) -> Weights:
        training = self._training
        tensors = {name: value.cpu().numpy() for name, value in generator.state_dict().items()}
        description = {
            **training.about,
            "data": training.task.data,
            "images": training.train.sha256,
            "epoch": epoch,
            "seed": training.task.seed,
        }
        return Weights("generator", tensors, description, card(training, final.named(measured), measured))


def metric_rows(evaluation: Evaluation, measured: Measured) -> list[tuple[Any, ...]]:
    """Rows of the table of figures: what each is called, its value, its floor."""
    rows: list[tuple[Any, ...]] = [(each["name"], each["value"], each["floor"]) for each in evaluation.named(measured)]
    if measured.label_agreement is not None:
        rows.append((f"label agreement, {measured.n}", measured.label_agreement, evaluation.accuracy))
    return rows


def rows_of(told: PixelSet | None) -> tuple[Condition, tuple[str, ...]]:
    """Labels of a grid of samples, row after row, and the rows' names; without classes all are alike.

    A row a class, or a row a combination of attributes, the most frequent first.
    """
    if told is None:
        return torch.zeros(ROWS * COLUMNS, dtype=torch.long), ()
    if not told.has_attributes:
        count = len(told.names)
        return torch.arange(count).repeat_interleave(COLUMNS), told.names
    rows, counts = torch.unique(told.labels, dim=0, return_counts=True)
    rows = rows[counts.argsort(descending=True)][:ROWS]
    return rows.repeat_interleave(COLUMNS, dim=0), tuple(combination(row.tolist(), told.names) for row in rows)


def real_rows(train: PixelSet, labels: Condition | None) -> np.ndarray:
    """Real images in the layout of a grid of samples; white where there are too few."""
    if labels is None:
        return shaped(train.images[: ROWS * COLUMNS], ROWS)
    both = groups(torch.cat([train.labels, labels]))
    found = []
    for group in both[len(train) :].view(-1, COLUMNS)[:, 0]:
        own = train.images[torch.nonzero(both[: len(train)] == group)[:COLUMNS, 0]]
        blank = torch.full((COLUMNS - len(own), *own.shape[1:]), 255, dtype=torch.uint8)
        found.append(torch.cat([own, blank]))
    return shaped(torch.cat(found), len(found))


def shaped(pixels: Tensor, rows: int) -> np.ndarray:
    """(N, C, S, S) uint8 as (rows, N / rows, S, S, 3); what fills no row is left out."""
    columns = max(1, len(pixels) // rows)
    kept = to_rgb(pixels[: rows * columns]).permute(0, 2, 3, 1).contiguous().numpy()
    found: np.ndarray = kept.reshape(-1, columns, *kept.shape[1:])
    return found


def card(training: Training, metrics: Sequence[Mapping[str, Any]], measured: Measured) -> str:
    """The model card."""
    rows = "\n".join(f"| {each['name']} | {each['value']:.4g} | {each['floor']:.4g} |" for each in metrics)
    agrees = (
        "" if measured.label_agreement is None else f"\nLabel agreement by the judge: {measured.label_agreement:.4f}\n"
    )
    about = training.about
    return f"""---
library_name: vitrail
pipeline_tag: unconditional-image-generation
tags: [gan, {about["architecture"]}]
---

# A generator made by vitrail

{about["architecture"]}, {training.task.loss} loss, trained on {len(training.train)} images of
{training.train.size} x {training.train.size} pixels. Images come out in [-1, 1].

| figure, with the network, its dimension and the number of images | samples | real images |
|---|---|---|
{rows}
{agrees}
`vitrail gan sample RUN --count 16` makes images; `weights/generator.json` says how the network is built.
"""
