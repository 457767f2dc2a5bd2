"""From images to latents and attributes, and from those, one attribute changed, to other images."""

from __future__ import annotations

from collections.abc import Generator as Steps
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from vitrail.errors import BadSetting
from vitrail.events import Event, Progress
from vitrail.gan.generator import Generator, load
from vitrail.gan_training.inversion import invert
from vitrail.image_files import display_name
from vitrail.images import to_signed_range, to_unit
from vitrail.tasks.gan_encoders import Encoders, read_encoders

if TYPE_CHECKING:
    from vitrail.tasks.gan_edit import GanEdit

GREY = (0.299, 0.587, 0.114)  # what red, green and blue weigh in a grey image (BT.601), as in Pillow's


@dataclass(frozen=True)
class Edited:
    """Some images and what became of them; pixels are (N, C, S, S) uint8.

    Attributes:
        original: at the generator's size.
        encoded: what the encoders' answer alone looks like.
        rebuilt: the same after refinement: what the generator can say of the image.
        strip: (N, steps, C, S, S), from `rebuilt`, or with details from `original`, to `edited`.
        attributes: (N, A), between -1 and 1, as they were read.
    """

    original: Tensor = field(repr=False)
    encoded: Tensor = field(repr=False)
    rebuilt: Tensor = field(repr=False)
    strip: Tensor = field(repr=False)
    attributes: Tensor = field(repr=False)

    @property
    def edited(self) -> Tensor:
        """Under the attributes that were wished for: the last of the strip."""
        return self.strip[:, -1]


@dataclass(frozen=True)
class Editor:
    """A generator, its encoders, and what is wished for.

    Attributes:
        wishes: index of an attribute -> -1 or 1.
        task: how the edit is to be done.
    """

    generator: Generator
    encoders: Encoders
    wishes: dict[int, float]
    task: GanEdit

    def edit(self, pixels: Tensor) -> Steps[Event, None, Edited]:
        """What becomes of 8-bit images (N, 3, S, S)."""
        original = pixels if self.encoders.channels == 3 else _grey(pixels)
        device = next(self.generator.network.parameters()).device
        images = to_signed_range(to_unit(original)).to(device)
        answer, attributes = self.encoders.encode(images)
        latents = answer
        sought = invert(self.generator.network, images, answer, attributes, steps=self.task.refine)
        for step, nearer in enumerate(sought, start=1):
            latents = nearer
            if step % 10 == 0:
                yield Progress("refining", step, self.task.refine, unit="steps")
        strip = self._strip(latents.cpu(), attributes.cpu())
        rebuilt = strip[:, 0]
        return Edited(
            original=original,
            encoded=self.generator.images(answer.cpu(), attributes.cpu()),
            rebuilt=rebuilt,
            strip=_onto(original, strip) if self.task.details else strip,
            attributes=attributes.cpu(),
        )

    def _strip(self, latents: Tensor, attributes: Tensor) -> Tensor:
        """(N, steps, C, S, S): attributes change evenly from what they are to what is wished for."""
        after = attributes.clone()
        for index, value in self.wishes.items():
            after[:, index] = self.task.strength * value
        steps = self.task.steps
        between = torch.lerp(attributes[:, None], after[:, None], torch.linspace(0, 1, steps)[None, :, None])
        found = self.generator.images(latents.repeat_interleave(steps, dim=0), between.flatten(0, 1))
        return found.view(-1, steps, *found.shape[1:])


def open_editor(task: GanEdit, device: str) -> Editor:
    """The generator and the encoders of a run, and the wishes in their terms.

    Raises:
        BadRun: the folder holds no generator or no encoder.
        BadSetting: the generator is told no attributes; nothing is wished for, or the same attribute twice.
        UnknownName: an attribute that it is not told.
    """
    generator = load(task.generator, device=device)
    if not generator.has_attributes:
        raise BadSetting(
            f"The generator in '{display_name(task.generator)}' is told no attributes, so none can be changed; one "
            "trained on a table of them (`vitrail gan train FOLDER --attributes Male,Young`) would work."
        )
    if not task.wanted:
        raise BadSetting(f"Nothing is wished for; --set {generator.names[0]}=1 would work.")
    wishes: dict[int, float] = {}
    for word in task.wanted:
        index, value = generator.parse_attribute(word)
        if wishes.setdefault(index, value) != value:
            raise BadSetting(f"{generator.names[index]} is set to 0 and to 1; once would work.")
    return Editor(generator, read_encoders(task.generator, device), wishes, task)


def _onto(original: Tensor, strip: Tensor) -> Tensor:
    """What changes from the first of a strip on, added to the original.

    A small generator draws no one's face, but its difference between two attributes fits the face it was led to.
    """
    return (original[:, None].int() + strip.int() - strip[:, :1].int()).clamp(0, 255).to(torch.uint8)


def _grey(pixels: Tensor) -> Tensor:
    weights = torch.tensor(GREY)[None, :, None, None]
    return (pixels.float() * weights).sum(dim=1, keepdim=True).round().to(torch.uint8)
