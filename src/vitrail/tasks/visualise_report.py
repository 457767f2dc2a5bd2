"""Events of `visualise`: progress, images, strips, animations, tables; every value is true of the saved PNG."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from vitrail.errors import MissingExtra
from vitrail.events import Attachment, Event, Image, Note, Plot, Preview, Progress, Summary, Table
from vitrail.formatting import count, duration, percent
from vitrail.images import to_hwc
from vitrail.plots import Axis, Line, animation, contact_sheet, curve
from vitrail.plots.encode import encode_png
from vitrail.unique_names import UniqueNames
from vitrail.visualisation.measurement import Measurement, is_own_only, is_recognised
from vitrail.visualisation.trace import AscentTrace

if TYPE_CHECKING:
    from vitrail.backbones.network import Network
    from vitrail.visualisation import Frame, Renderer, Variant

LISTED = 6  # images named in the summary
NO_SECOND_NETWORK = "none, so nothing says whether the images show more than its habits"


class Report:
    """Turns frames into events, and collects the entries of the result.

    Args:
        second: the network asked about the saved images, if any.
        sweep: whether images differ by their options and not only by their class.
        preview_every: seconds between previews.
    """

    def __init__(self, network: Network, second: Network | None, *, sweep: bool, preview_every: float) -> None:
        self._measurement, self._classes = Measurement(network, second), len(network.classes)
        self._second, self._sweep = second.name if second else "", sweep
        self._preview_every, self._previewed = preview_every, time.monotonic()
        self._names = UniqueNames()
        self._entries: dict[str, list[dict[str, Any]]] = {"classes": [], "channels": []}
        self._tiles: list[tuple[np.ndarray, str]] = []
        self._curves: list[Line] = []

    @property
    def result(self) -> dict[str, Any]:
        """`classes`, `channels` and `forwards`, the forward passes of single images without those of previews."""
        return {**self._entries, "forwards": self._measurement.forwards}

    def events(self, renderer: Renderer, variants: Sequence[Variant]) -> Iterator[Event]:
        """All events but the summary; Ctrl-C ends the batch that is being made, which is saved as it is."""
        batches = renderer.batches(variants)
        steps = len(batches) * variants[0].steps[-1]
        for number, rows in enumerate(batches):
            trace, stopped = AscentTrace(rows), False
            try:
                yield from self._ascent(trace, renderer.frames(rows), number * trace.total, steps)
            except KeyboardInterrupt:
                stopped = True
            if trace.last is not None:
                trace.retain_last()
                self._measurement.forwards += 2 * trace.last.step * len(rows)
                yield from self._images(trace)
            elif not self._tiles:
                raise KeyboardInterrupt  # nothing is made yet
            if stopped:
                yield Note(f"Stopped; {count(len(self._tiles), 'image')} made so far are saved.", "stopped")
                break
        yield from self._overview()

    def _ascent(self, trace: AscentTrace, frames: Iterator[Frame], before: int, total: int) -> Iterator[Event]:
        started, probability = time.perf_counter(), ""
        for frame in frames:
            trace.add(frame)
            pace = f"{frame.step / (time.perf_counter() - started):.1f} steps/s"
            # Frame.logits are those of a random crop; the probability shown is that of the image itself.
            if frame.step in trace.strip and (values := self._probabilities(trace.variants, trace.frames[frame.step])):
                mean = sum(values) / len(values)
                probability = f"probability {mean:.2f} at step {frame.step}, "
            yield Progress("Ascent", before + frame.step, total, unit="steps", detail=probability + pace)
            if time.monotonic() - self._previewed >= self._preview_every:
                self._previewed = time.monotonic()
                yield from self._previews(trace.variants, frame)

    def _probabilities(self, variants: Sequence[Variant], pixels: np.ndarray) -> list[float]:
        """The network's probability of each class among the targets, of images as they would be saved."""
        rows = [(row.target.index, image) for row, image in zip(variants, pixels, strict=True) if row.target.is_class]
        return [self._measurement.probability(encode_png(image), index) for index, image in rows]

    def _previews(self, variants: Sequence[Variant], frame: Frame) -> Iterator[Preview]:
        for row, pixels in zip(variants, to_hwc(frame.images), strict=True):
            png = encode_png(pixels)
            values = {"step": float(frame.step)}
            if row.target.is_class:
                values["probability"] = self._measurement.probability(png, row.target.index, counted=False)
            yield Preview(_file_name(row), png, values)

    def _images(self, trace: AscentTrace) -> Iterator[Event]:
        last = max(trace.frames)
        for index, (row, scores) in enumerate(zip(trace.variants, trace.curves(), strict=True)):
            steps = sorted({*(step for step in row.steps if step in trace.frames), last})
            name = self._names.free(_file_name(row))
            for step in steps:
                yield self._image(row, trace.frames[step][index], step, name if step == last else f"{name}_{step}")
            yield from self._strip(trace, index, name)
            self._curves.append(Line(range(1, len(scores) + 1), scores, self._label(row)))

    def _image(self, row: Variant, pixels: np.ndarray, step: int, name: str) -> Image:
        png = encode_png(pixels)
        options = {"step_size": row.step_size, "l2": row.l2} if self._sweep else {}
        file = {"steps": step, "output": f"images/{name}.png", **options}
        if row.target.is_class:
            entry = {**self._measurement.class_values(png, row.target), **file}
            self._entries["classes"].append(entry)
            caption = self._caption(entry)
        else:
            entry = {**self._measurement.channel_values(png, row.target), **file}
            self._entries["channels"].append(entry)
            caption = _activation(entry)
        label = f"{self._label(row)}, {step} steps" if self._sweep else row.target.name
        # A tile of a sweep has room for one value only; the image's own caption has the others.
        self._tiles.append((pixels, f"{label}: {caption.split(', ')[0] if self._sweep else caption}"))
        return Image(name, f"{label}: {caption}", png)

    def _caption(self, entry: dict[str, Any]) -> str:
        own = percent(entry["probability"])
        if not self._second:
            return own
        both = f"{own}, {self._second} {percent(entry['judge_probability'])}"
        return f"{both} (its own network only)" if is_own_only(entry) else both

    def _strip(self, trace: AscentTrace, index: int, name: str) -> Iterator[Event]:
        steps = sorted(trace.frames.keys() & {*trace.strip, max(trace.frames)})
        strip = contact_sheet(
            [trace.frames[step][index] for step in steps], [f"step {step}" for step in steps], columns=len(steps)
        )
        yield Image(f"{name}_strip", f"{self._label(trace.variants[index])}, by step", strip)
        frames = [trace.frames[step][index] for step in sorted(trace.frames)]
        yield Attachment("images", f"{name}.gif", animation(frames))

    def _label(self, row: Variant) -> str:
        return f"{row.target.name}, step size {row.step_size:g}, l2 {row.l2:g}" if self._sweep else row.target.name

    def _overview(self) -> Iterator[Event]:
        images, captions = zip(*self._tiles, strict=True)
        columns = max(1, len(self._tiles) // len(self._curves)) if self._sweep else 6
        yield Image("visualised", "All images", contact_sheet(images, captions, columns=columns))
        try:
            yield Plot("scores", "Score by step", curve(self._curves, Axis("step", "score")))
        except MissingExtra as error:
            yield Note(f"{error} No curve was drawn.", "missing-extra")
        yield from self._tables()

    def _tables(self) -> Iterator[Table]:
        for part, entries in self._entries.items():
            if entries:
                rows = [[entry[key] for key in entries[0]] for entry in entries]
                yield Table(part, f"Saved images: {part}", list(entries[0]), rows, prominent=False)
        if len(self._entries["classes"]) > LISTED:
            yield self._printed_table()
        rows = [[line.name, *point] for line in self._curves for point in zip(line.x, line.y, strict=True)]
        yield Table("scores", "Score by step", ("image", "step", "score"), rows, prominent=False)

    def _printed_table(self) -> Table:
        keys = ["name", "step_size", "l2", "steps"] if self._sweep else ["index", "name"]
        keys += ["probability", "judge_probability"] if self._second else ["probability"]
        rows = [[entry[key] for key in keys] for entry in self._entries["classes"]]
        names = {"judge_probability": self._second, "step_size": "step size"}
        return Table("probabilities", "Probability of the class", [names.get(key, key) for key in keys], rows)

    def summary(self, seconds: float, *, next_steps: Sequence[str]) -> Summary:
        """Probabilities beside chance level, the second network's verdict, time and cost."""
        classes, channels = self._entries["classes"], self._entries["channels"]
        lines = []
        if 0 < len(classes) <= LISTED:
            lines += [(self._short_label(entry), self._caption(entry)) for entry in classes]
        elif classes:
            lines.append(("recognised", f"{sum(map(is_recognised, classes))} of {count(len(classes), 'image')}"))
        if classes:
            lines.append(("chance level", f"{percent(1 / self._classes)} ({self._classes:,} classes)"))
            agreed = sum(bool(entry["judge_agrees"]) for entry in classes)
            verdict = f"{self._second} predicts {agreed} of {len(classes)} classes"
            lines.append(("second network", verdict if self._second else NO_SECOND_NETWORK))
        lines += [(entry["channel"], _activation(entry)) for entry in channels[:LISTED]]
        passes = count(self._measurement.forwards, "forward pass", "forward passes")
        lines.append(("time", f"{duration(seconds)}, {passes}"))
        return Summary(lines, next_steps)

    def _short_label(self, entry: dict[str, Any]) -> str:
        options = f", {entry['step_size']:g}, {entry['l2']:g}, {entry['steps']}" if self._sweep else ""
        return f"{entry['name']}{options}"


def _activation(entry: dict[str, Any]) -> str:
    return f"mean activation {entry['activation']:.4g}"


def _file_name(row: Variant) -> str:
    return f"{row.target.index}_{row.target.name}" if row.target.is_class else row.target.name
