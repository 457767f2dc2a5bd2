"""One walk: what every frame is made from, the images, and how they are shown."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from vitrail.devices import choose_device
from vitrail.errors import MissingExtra
from vitrail.events import Attachment, Event, Image, Note, Result
from vitrail.gan_architectures.pair import condition
from vitrail.gan_training.interpolation import interpolate, lerp, slerp
from vitrail.plots import animation, encode_mp4, grid
from vitrail.plots.encode import encode_png
from vitrail.tasks.gan_generator import Generator, read_generator
from vitrail.tasks.gan_train_report import image_rows
from vitrail.tensors import Condition

if TYPE_CHECKING:
    from vitrail.tasks.gan_walk import GanWalk

ROWS = 20  # classes that walk together, at most
COLUMNS, WIDE = 25, 1300  # of the strip: frames, and pixels, at most
PAUSE = 10  # times as long as the others the last frame is shown, where the film does not go on from it
TILES = 192, 96  # pixels: side that an image of the film is enlarged to, alone and among others


@dataclass(frozen=True)
class Row:
    """What one image is told while it walks.

    Attributes:
        name: in words; "" if the generator is told nothing.
        told: (frames, A), or (frames,) zeros if the generator is told nothing.
        shares: (frames,), how far it has come from what it is told first to what it is told last, if that differs.
    """

    name: str
    told: Condition
    shares: Tensor | None = None


def run(task: GanWalk) -> Iterator[Event]:
    """See `GanWalk.run`."""
    started = time.perf_counter()
    device = choose_device(task.device)
    generator = read_generator(task.generator, device)
    latents = torch.cat([generator.latents(seed, 1) for seed in task.keypoints])
    points = interpolate(latents, slerp, steps=task.steps, loop=task.loop)
    rows = _rows(task, generator)
    if len(rows) > ROWS:
        yield Note(f"The first {ROWS} of {len(rows)} walk; --class would name another one.")
        rows = rows[:ROWS]
    pixels = generator.images(points.repeat(len(rows), 1), torch.cat([row.told for row in rows]))
    images = image_rows(pixels, len(rows))  # (rows, frames, S, S, 3)
    yield _strip(task, rows, images)
    outputs, skipped = ["images/strip.png", "images/walk.gif"], []
    frames = _frames(task, rows, images)
    gif = animation(frames, milliseconds=task.milliseconds, last=1 if task.loop else PAUSE)
    yield Attachment("images", "walk.gif", gif)
    if task.mp4:
        try:
            yield Attachment("images", "walk.mp4", encode_mp4(frames, milliseconds=task.milliseconds))
            outputs.append("images/walk.mp4")
        except MissingExtra as error:
            yield Note(f"{error} The GIF shows the same frames.")
            skipped.append({"file": "images/walk.mp4", "reason": str(error)})
    yield Result(
        {
            "generator": str(task.generator),
            "device": device,
            "skipped": skipped,
            "seeds": list(task.keypoints),
            "classes": [row.name for row in rows if row.name],
            "frames": task.frames,
            "outputs": outputs,
            "seconds": {"total": time.perf_counter() - started},
        }
    )


def _rows(task: GanWalk, generator: Generator) -> list[Row]:
    """What walks: the class or attributes asked for, or else each class, or each combination of attributes."""
    if task.wanted or not generator.names:
        return [_asked(task, generator)]
    if generator.has_attributes:
        often = sorted(
            generator.description["condition"], key=lambda row: -row[1]
        )  # as the samples of a training are ordered
        labels: Condition = torch.tensor([row for row, _ in often]).float()
    else:
        labels = torch.arange(len(generator.names))
    told = condition(labels, len(generator.names), torch.empty(0))
    names = [generator.told(label) for label in labels]
    return [Row(name, row.expand(task.frames, -1)) for name, row in zip(names, told, strict=True)]


def _asked(task: GanWalk, generator: Generator) -> Row:
    """The one that is asked for; evenly from what the first image is told to what the last one is told."""
    start = generator.labels(task.wanted, 1, task.keypoints[0])
    if not generator.names:
        return Row("", start.expand(task.frames))
    end = start.clone()
    if generator.has_attributes:
        for index, value in map(generator.attribute, task.to_wanted):
            end[:, index] = value
    elif task.to_wanted:
        end = generator.labels(task.to_wanted, 1, 0)
    shares = interpolate(torch.linspace(0, 1, len(task.keypoints))[:, None], lerp, steps=task.steps, loop=task.loop)[
        :, 0
    ]
    first, last = (condition(label, len(generator.names), shares)[0] for label in (start, end))
    told = lerp(first, last, shares)
    if torch.equal(first, last):
        return Row(generator.told(start[0]), told)
    return Row(f"{generator.told(start[0])} to {generator.told(end[0])}", told, shares)


def _strip(task: GanWalk, rows: Sequence[Row], images: np.ndarray) -> Image:
    """Frames from left to right, the seeds' own among them; a row for each that walks."""
    most = min(COLUMNS, max(2, WIDE // max(images.shape[-2], 48)))
    chosen = _columns(task, most)
    keypoints = [*task.keypoints, *task.keypoints[: int(task.loop)]]
    names = ", ".join(map(str, dict.fromkeys(keypoints) if len(set(keypoints)) == 1 else keypoints))
    heading = f"seed{'s' * (len(set(keypoints)) > 1)} {names}"
    sheet = grid({heading: images[:, chosen]}, [row.name for row in rows] if rows[0].name else ())
    return Image("strip", f"{len(chosen)} of {task.frames} frames, {heading}", encode_png(sheet))


def _columns(task: GanWalk, most: int) -> list[int]:
    """Frames of the strip: as many of each leg, and the last one; of a loop the first one again."""
    each = max(1, min((most - 1) // task.legs, task.steps))
    all_legs = [leg * task.steps + round(part * task.steps / each) for leg in range(task.legs) for part in range(each)]
    columns = [*all_legs, task.legs * task.steps % task.frames]
    kept = np.linspace(0, len(columns) - 1, min(most, len(columns))).round().astype(int)
    return [columns[index] for index in kept]


def _frames(task: GanWalk, rows: Sequence[Row], images: np.ndarray) -> list[np.ndarray]:
    """The images of the film: of one that walks alone, with where it is; of several, with what each is."""
    if len(rows) == 1:
        return [_mosaic([_where(task, rows[0], at)], images[:, at], tile=TILES[0]) for at in range(task.frames)]
    return [_mosaic([row.name for row in rows], images[:, at], tile=TILES[1]) for at in range(task.frames)]


def _where(task: GanWalk, row: Row, frame: int) -> str:
    if row.shares is not None:
        return f"{row.name}, {_percent(float(row.shares[frame]))}"
    leg, done = divmod(frame, task.steps)
    here, there = task.keypoints[leg], task.keypoints[(leg + 1) % len(task.keypoints)]
    said = f"seed {here} to {there}, {_percent(done / task.steps)}" if done else f"seed {here}"
    return f"{row.name}, {said}" if row.name else said


def _percent(share: float) -> str:
    return f"{100 * share:.0f}\u00a0%"


def _mosaic(names: Sequence[str], images: np.ndarray, *, tile: int) -> np.ndarray:
    """Images in rows, about half as many as are in each, every one under its name; what is left over is white."""
    cells = [grid({name: image[None, None]}, tile=tile) for name, image in zip(names, images, strict=True)]
    cells = [np.pad(cell, ((2, 2), (3, 3), (0, 0)), constant_values=255) for cell in cells]
    columns = math.ceil(math.sqrt(2 * len(cells))) if len(cells) > 1 else 1
    cells += [np.full_like(cells[0], 255)] * (-len(cells) % columns)
    return np.concatenate([np.concatenate(cells[at : at + columns], 1) for at in range(0, len(cells), columns)])
