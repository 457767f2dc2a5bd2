"""Frames in, files and figures out: what is reported is true of the PNGs that are kept."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from torch import Tensor

from vitrail.backbones.backbone import LOGITS
from vitrail.errors import MissingExtra
from vitrail.events import Attachment, Event, Image, Note, Plot, Preview, Progress, Table
from vitrail.formatting import percent
from vitrail.images import to_bytes
from vitrail.plots import Axis, Line, animation, contact_sheet, curve
from vitrail.plots.encode import encode_png
from vitrail.tasks.kept_names import UniqueNames
from vitrail.tasks.visualise_judge import Judge, said
from vitrail.tasks.visualise_run import Making, Row

if TYPE_CHECKING:
    from vitrail.backbones.network import Network
    from vitrail.visualisation import Frame

BELIEVED = 0.5  # probability from which a network is said to believe in an image
STRIP, ANIMATED = 6, 40  # frames of a strip, and of an animation, at most


@dataclass
class _Record:
    """What is remembered of a batch while it is made; frames as pixels (N, H, W, 3), by step."""

    rows: Sequence[Row]
    scores: list[Tensor] = field(default_factory=list)
    chances: list[list[float]] = field(default_factory=list)
    frames: dict[int, np.ndarray] = field(default_factory=dict)
    last: Frame | None = None

    def add(self, frame: Frame) -> None:
        total = self.rows[0].steps[-1]
        goals = [row.goal.index if row.goal.layer == LOGITS else -1 for row in self.rows]
        chances = frame.logits.softmax(dim=1)
        self.scores.append(frame.scores.cpu())
        self.chances.append([float(chances[row, goal]) for row, goal in enumerate(goals) if goal >= 0])
        if frame.step in {*_spaced(total, ANIMATED), *_spaced(total, STRIP), *self.rows[0].steps}:
            self.frames[frame.step] = _pixels(frame)
        self.last = frame

    def finish(self) -> None:
        """Keeps the last frame, wherever the work was stopped."""
        if self.last is not None:
            self.frames[self.last.step] = _pixels(self.last)


class Report:
    """Shows rows while they are made, and collects the figures."""

    def __init__(self, network: Network, judge: Judge | None, *, swept: bool, live: float | None = None) -> None:
        self._network, self._judge, self._swept = network, judge, swept
        self._live, self._looked = live, 0.0
        self._names = UniqueNames()
        self._entries: dict[str, list[dict[str, Any]]] = {"classes": [], "units": []}
        self._shown: list[tuple[np.ndarray, str]] = []
        self._lines: list[Line] = []

    @property
    def figures(self) -> dict[str, Any]:
        """`classes`, `units` and `forwards`, as `result.json` has them."""
        forwards = sum(2 * entry["steps"] + 1 for part in self._entries.values() for entry in part)
        return {**self._entries, "forwards": forwards}

    def shown(self, making: Making, rows: Sequence[Row]) -> Iterator[Event]:
        """Makes all rows, yielding progress and what was made; Ctrl-C ends it with what there is."""
        stopped = False
        for part, frames in making.batches(rows):
            record = _Record(part)
            try:
                yield from self._watched(record, frames)
            except KeyboardInterrupt:
                stopped = True
            if record.last is None:
                raise KeyboardInterrupt
            record.finish()
            yield from self._kept(record)
            if stopped:
                yield Note(f"Stopped after {record.last.step} steps; what there was by then is kept.")
                break
        yield from self._summary()

    def _watched(self, record: _Record, frames: Iterator[Frame]) -> Iterator[Event]:
        started, total = time.perf_counter(), record.rows[0].steps[-1]
        part = ", ".join(dict.fromkeys(row.name for row in record.rows))
        for frame in frames:
            record.add(frame)
            pace = frame.step / (time.perf_counter() - started)
            chance = record.chances[-1]
            about = f"probability {sum(chance) / len(chance):.2f}, " if len(chance) else ""
            yield Progress(part, frame.step, total, unit="steps", detail=f"{about}{pace:.1f} steps/s")
            if self._live is not None and time.perf_counter() - self._looked >= self._live:
                self._looked = time.perf_counter()
                yield from _previews(record, frame)

    def _kept(self, record: _Record) -> Iterator[Event]:
        last = max(record.frames)
        for index, row in enumerate(record.rows):
            wanted = [step for step in row.steps if step in record.frames] or [last]
            wanted = wanted if wanted[-1] == row.steps[-1] else [*wanted, last]
            name = self._names.free(_file_name(row))
            for step in dict.fromkeys(wanted):
                yield self._one(row, record.frames[step][index], step, name if step == last else f"{name}_{step}")
            yield from self._progress_of(record, index, name)
            y = [float(scores[index]) for scores in record.scores]
            self._lines.append(Line(range(1, len(y) + 1), y, self._label(row)))

    def _one(self, row: Row, pixels: np.ndarray, step: int, name: str) -> Image:
        file = encode_png(pixels)
        found: dict[str, Any] = {"steps": step, "output": f"images/{name}.png"}
        found |= {"rate": row.rate, "l2": row.l2} if self._swept else {}
        if row.goal.layer == LOGITS:
            entry = {"index": row.goal.index, "name": row.name, **self._judged(file, row.goal.index), **found}
            caption = self._caption(entry)
            self._entries["classes"].append(entry)
        else:
            activation = float(said(self._network.reference, file, row.goal.layer)[row.goal.index].mean())
            self._entries["units"].append({"unit": row.name, "activation": activation, **found})
            caption = f"mean activation {activation:.4g}"
        setting = f"{self._label(row)}, {step} steps" if self._swept else row.name
        # A grid of many settings has room for the figures alone; the images' own captions say the rest.
        brief = caption.split(", ")[0] if self._swept else caption
        self._shown.append((pixels, f"{setting}: {brief}"))
        return Image(name, f"{setting}: {caption}", file)

    def _judged(self, file: bytes, index: int) -> dict[str, Any]:
        own = float(said(self._network.reference, file).softmax(dim=0)[index])
        if self._judge is None:
            return {"probability": own, "judge_probability": None, "judge_agrees": None}
        other = self._judge.probabilities(file)
        agrees = int(other.argmax()) == index
        return {"probability": own, "judge_probability": float(other[index]), "judge_agrees": agrees}

    def _caption(self, entry: dict[str, Any]) -> str:
        own = percent(entry["probability"])
        if self._judge is None:
            return own
        judged = f"{own}, {self._judge.name} {percent(entry['judge_probability'])}"
        return (
            judged if entry["judge_agrees"] or entry["probability"] < BELIEVED else f"{judged} (its own network only)"
        )

    def _progress_of(self, record: _Record, index: int, name: str) -> Iterator[Event]:
        total, last = record.rows[0].steps[-1], max(record.frames)
        steps = [step for step in sorted(record.frames) if step in {*_spaced(total, STRIP), last}]
        strip = contact_sheet(
            [record.frames[step][index] for step in steps], [f"step {step}" for step in steps], columns=len(steps)
        )
        yield Image(f"{name}_strip", f"{self._label(record.rows[index])}, step by step", strip)
        yield Attachment("images", f"{name}.gif", animation([record.frames[s][index] for s in sorted(record.frames)]))

    def _label(self, row: Row) -> str:
        return f"{row.name}, rate {row.rate:g}, l2 {row.l2:g}" if self._swept else row.name

    def _summary(self) -> Iterator[Event]:
        images, captions = zip(*self._shown, strict=True)
        columns = max(1, len(self._shown) // len(self._lines)) if self._swept else 6
        yield Image("visualised", "All images", contact_sheet(images, captions, columns=columns))
        try:
            yield Plot("scores", "The score over the steps", curve(self._lines, Axis("step", "score")))
        except MissingExtra as error:
            yield Note(f"{error} No curve was drawn.")
        yield from self._tables()

    def _tables(self) -> Iterator[Table]:
        for part, entries in self._entries.items():
            if entries:
                rows = [list(entry.values()) for entry in entries]
                yield Table(part, f"The saved images: {part}", list(entries[0]), rows)
        rows = [[line.name, *point] for line in self._lines for point in zip(line.x, line.y, strict=True)]
        yield Table("scores", "The score over the steps", ("image", "step", "score"), rows, shown=False)


def _previews(record: _Record, frame: Frame) -> Iterator[Preview]:
    """The unfinished images, and how sure the network is of them."""
    for row, pixels, logits in zip(record.rows, _pixels(frame), frame.logits, strict=True):
        figures = {"step": float(frame.step)}
        if row.goal.layer == LOGITS:
            figures["probability"] = float(logits.softmax(dim=0)[row.goal.index])
        yield Preview(_file_name(row), encode_png(pixels), figures)


def _spaced(total: int, count: int) -> list[int]:
    """At most `count` steps up to `total`, evenly."""
    return sorted({max(1, round(total * (place + 1) / count)) for place in range(count)})


def _pixels(frame: Frame) -> np.ndarray:
    return to_bytes(frame.images).permute(0, 2, 3, 1).contiguous().cpu().numpy()


def _file_name(row: Row) -> str:
    return f"{row.goal.index}_{row.name}" if row.goal.layer == LOGITS else row.name
