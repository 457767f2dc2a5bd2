"""Latent interpolation of a trained generator: spherical between the latents of seeds, linear between two labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from vitrail.errors import BadSetting
from vitrail.gan.generator_network import GeneratorNetwork, Label, label_texts
from vitrail.gan.keypoints import Keypoints, interpolation_keypoints
from vitrail.gan_architectures.pair import condition
from vitrail.gan_training.arguments import check_flag
from vitrail.gan_training.interpolation import interpolate, lerp, slerp
from vitrail.images import to_rgb, to_unit
from vitrail.tensors import Condition
from vitrail.validation import check_count, describe

MAX_ROWS = 20  # classes, or combinations of attributes


@dataclass(frozen=True)
class InterpolationRow:
    """The condition of one row of frames.

    Attributes:
        name: of the label, or of both labels; "" if unconditional.
        condition: (frames, A), or (frames,) zeros if unconditional.
        fractions: (frames,), how far each is from the first label to the last one; None: the label does not change.
    """

    name: str
    condition: Condition = field(repr=False)
    fractions: Tensor | None = field(default=None, repr=False)


@dataclass(frozen=True)
class Interpolation:
    """Frames of an interpolation, a row for each label; all rows have the same latents.

    Attributes:
        pixels: (rows, frames, C, S, S) uint8.
        omitted: number of labels beyond the first 20, which have no row.
    """

    keypoints: Keypoints
    rows: tuple[InterpolationRow, ...]
    pixels: Tensor = field(repr=False)
    omitted: int = 0

    @property
    def images(self) -> Tensor:
        """(rows, frames, 3, S, S), RGB, float32 in [0, 1]."""
        return to_rgb(to_unit(self.pixels))

    def caption(self, row: int, frame: int) -> str:
        """Where a frame is: "seed 0 to 1, 50 %", or "cat to dog, 50 %".

        Raises:
            BadSetting: there is no such row or frame.
        """
        check_count("row", row, least=0, most=len(self.rows) - 1)
        check_count("frame", frame, least=0, most=self.keypoints.frames - 1)
        name, fractions = self.rows[row].name, self.rows[row].fractions
        if fractions is not None:
            return f"{name}, {_percent(float(fractions[frame]))}"
        start, end, fraction = self.keypoints.position(frame)
        place = f"seed {start} to {end}, {_percent(fraction)}" if fraction else f"seed {start}"
        return f"{name}, {place}" if name else place


def interpolate_seeds(
    generator: GeneratorNetwork,
    seeds: Sequence[int] = (0, 1),
    *,
    label: Label = None,
    to_label: Label = None,
    steps: int = 24,
    loop: bool = False,
) -> Interpolation:
    """Images between those of several seeds.

    Args:
        seeds: at least two, or one with two labels; the frame of each is the image that `Generator.sample` gives.
        label: a class or attributes; None: a row for each class or combination of attributes, the first 20.
        to_label: what the last frame has instead of `label`; the condition changes linearly.
        steps: frames from one seed to the next.
        loop: continue from the last seed to the first.
    Raises:
        BadSetting: neither seed nor label changes, a label of an unconditional generator, or a value out of range.
        UnknownName: there is no such class or attribute.
    """
    if not isinstance(seeds, Sequence) or isinstance(seeds, str):
        raise BadSetting(f"seeds must be whole numbers; got {describe(seeds)}. Use (0, 1).")
    check_flag("loop", loop)
    texts, end_texts = label_texts(label), label_texts(to_label)
    keypoints = interpolation_keypoints(
        tuple(seeds), steps=steps, loop=loop, has_label=bool(texts), has_end_label=bool(end_texts)
    )
    if texts or not generator.names:
        rows = [_labelled_row(generator, keypoints, texts, end_texts)]
    else:
        rows = _rows_of_all_labels(generator, keypoints)
    omitted, rows = max(0, len(rows) - MAX_ROWS), rows[:MAX_ROWS]
    latents = torch.cat([generator.latents(seed, 1) for seed in keypoints.seeds])
    points = interpolate(latents, slerp, steps=steps, loop=loop)
    pixels = generator.images(points.repeat(len(rows), 1), torch.cat([row.condition for row in rows]))
    return Interpolation(keypoints, tuple(rows), pixels.view(len(rows), -1, *pixels.shape[1:]), omitted)


def _rows_of_all_labels(generator: GeneratorNetwork, keypoints: Keypoints) -> list[InterpolationRow]:
    """A row per class, or per combination of attributes, the most frequent first."""
    if generator.has_attributes:
        frequent = sorted(generator.description["condition"], key=lambda entry: -entry[1])
        labels: Condition = torch.tensor([label for label, _ in frequent]).float()
    else:
        labels = torch.arange(len(generator.names))
    conditions = condition(labels, len(generator.names), torch.empty(0))
    names = map(generator.label_name, labels)
    return [
        InterpolationRow(name, row.expand(keypoints.frames, -1)) for name, row in zip(names, conditions, strict=True)
    ]


def _labelled_row(
    generator: GeneratorNetwork, keypoints: Keypoints, label: tuple[str, ...], to_label: tuple[str, ...]
) -> InterpolationRow:
    """The row of one label, or from one label to another."""
    start = generator.labels(label, 1, keypoints.seeds[0])
    if not generator.names:
        return InterpolationRow("", start.expand(keypoints.frames))
    end = start.clone()
    if generator.has_attributes:
        for index, value in generator.attribute_values(to_label).items():
            end[:, index] = value
    elif to_label:
        end = generator.labels(to_label, 1, 0)
    ends = torch.linspace(0, 1, len(keypoints.seeds))[:, None]
    fractions = interpolate(ends, lerp, steps=keypoints.steps, loop=keypoints.loop)[:, 0]
    first, last = (condition(each, len(generator.names), fractions)[0] for each in (start, end))
    conditions = lerp(first, last, fractions)
    if torch.equal(first, last):
        return InterpolationRow(generator.label_name(start[0]), conditions)
    name = f"{generator.label_name(start[0])} to {generator.label_name(end[0])}"
    return InterpolationRow(name, conditions, fractions)


def _percent(fraction: float) -> str:
    return f"{100 * fraction:.0f}\u00a0%"  # whole numbers: it changes with every frame
