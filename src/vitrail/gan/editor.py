"""Attribute editing of images: encode, change an attribute, generate (IcGAN), and add the difference to the image.

Source: Perarnau et al., 2016, https://arxiv.org/abs/1611.06355.
"""

from __future__ import annotations

from collections.abc import Generator as Steps
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property

import torch
from torch import Tensor

from vitrail.errors import BadSetting
from vitrail.events import Event, Progress
from vitrail.gan.encoders import Encoders
from vitrail.gan.generator_network import GeneratorNetwork
from vitrail.gan_architectures.frozen_features import FrozenFeatures
from vitrail.gan_training.arguments import check_flag
from vitrail.gan_training.inversion import invert
from vitrail.images import to_signed_range, to_unit
from vitrail.validation import check_count, check_number

GREY = (0.299, 0.587, 0.114)  # weights of red, green and blue in a grey image (BT.601), as in Pillow
MOST_STRENGTH, MOST_STEPS = 4, 64
STRENGTHS = (0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 4.0)  # that are tried where none is given
SURE = 0.5  # estimate of the encoder, in [-1, 1], from which an attribute counts as seen


@dataclass(frozen=True)
class EditResult:
    """Edited images; pixels are (N, C, S, S) uint8.

    Attributes:
        original: at the generator's size.
        encoded: generated from the encoders' estimate.
        reconstruction: generated after the inversion.
        strip: (N, steps, C, S, S), from `reconstruction`, or with details from `original`, to `edited`.
        attributes: (N, A), in [-1, 1], as the encoder estimates them.
        strength: (N,), the value that attributes were set to, unless an image had more of it already.
        seen: (N,), whether the encoder of attributes sees all edits in the edited image.
    """

    original: Tensor = field(repr=False)
    encoded: Tensor = field(repr=False)
    reconstruction: Tensor = field(repr=False)
    strip: Tensor = field(repr=False)
    attributes: Tensor = field(repr=False)
    strength: Tensor
    seen: Tensor

    @property
    def edited(self) -> Tensor:
        """With the new attributes: the last of the strip."""
        return self.strip[:, -1]


@dataclass(frozen=True)
class Editor:
    """Edits images with a generator and its encoders.

    Attributes:
        edits: index of an attribute -> -1 or 1.
        inversion_steps: steps of gradient descent on the latents, from the encoders' estimate.
        keep_details: add the change to the original image; otherwise the strip is what the generator gives.
        strength: value that an attribute is set to; 1: as in the training images; None: for each image the least of
            `STRENGTHS` at which the encoder of attributes sees the edit, or comes nearest to it.
        steps: images of the strip.
    Raises:
        BadSetting: a value out of range.
    """

    generator: GeneratorNetwork
    encoders: Encoders
    edits: dict[int, float]
    inversion_steps: int = 100
    keep_details: bool = True
    strength: float | None = None
    steps: int = 7

    def __post_init__(self) -> None:
        check_count("inversion_steps", self.inversion_steps, least=0)
        check_flag("keep_details", self.keep_details)
        if self.strength is not None:
            check_number("strength", self.strength, above=0, most=MOST_STRENGTH)
        check_count("steps", self.steps, least=2, most=MOST_STEPS)

    def edit(self, pixels: Tensor) -> Steps[Event, None, EditResult]:
        """Edits images (N, 3, S, S) uint8 of the generator's size; yields progress."""
        original = pixels if self.encoders.channels == 3 else _to_grey(pixels)
        device = next(self.generator.network.parameters()).device
        images = to_signed_range(to_unit(original)).to(device)
        estimate, attributes = self.encoders.encode(images)
        latents = estimate
        inversion = invert(
            self.generator.network,
            images,
            estimate,
            attributes,
            steps=self.inversion_steps,
            feature_maps=self._feature_maps if self.inversion_steps else None,
        )
        for step, inverted in enumerate(inversion, start=1):
            latents = inverted
            if step % 10 == 0:
                yield Progress("inversion", step, self.inversion_steps, unit="steps")
        latents, attributes = latents.cpu(), attributes.cpu()
        strength = self._strength(original, latents, attributes)
        generated = self._strip(latents, attributes, strength)
        strip = _add_change(original, generated) if self.keep_details else generated
        return EditResult(
            original=original,
            encoded=self.generator.images(estimate.cpu(), attributes),
            reconstruction=generated[:, 0],
            strip=strip,
            attributes=attributes,
            strength=strength,
            seen=self._estimates(strip[:, -1]) >= SURE,
        )

    @cached_property
    def _feature_maps(self) -> FrozenFeatures | None:
        """What the generator's discriminator saw through: such a generator learned to reproduce this, beyond pixels.

        Raises:
            MissingWeights: the network is not installed.
        """
        backbone = self.generator.description["arguments"].get("backbone")
        if backbone is None:
            return None
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)  # of the mixing
            features = FrozenFeatures(backbone, self.generator.size)
        return features.to(next(self.generator.network.parameters()).device)

    def _strength(self, original: Tensor, latents: Tensor, attributes: Tensor) -> Tensor:
        """Of each image, (N,)."""
        if self.strength is not None:
            return torch.full((len(original),), float(self.strength))
        before = self.generator.images(latents, attributes)
        estimates = []
        for strength in STRENGTHS:
            after = self._edited(attributes, torch.full((len(original),), strength))
            images = self.generator.images(latents, after)
            if self.keep_details:
                images = _add_change(original, torch.stack([before, images], dim=1))[:, 1]
            estimates.append(self._estimates(images))
        nearest = torch.stack(estimates)
        is_seen = nearest >= SURE
        chosen = torch.where(is_seen.any(dim=0), is_seen.float().argmax(dim=0), nearest.argmax(dim=0))
        return torch.tensor(STRENGTHS)[chosen]

    def _estimates(self, images: Tensor) -> Tensor:
        """How surely the encoder sees the edits, (N,): the least of them, from -1 to 1."""
        device = next(self.generator.network.parameters()).device
        attributes = self.encoders.encode(to_signed_range(to_unit(images)).to(device))[1].cpu()
        columns, values = list(self.edits), torch.tensor(list(self.edits.values()))
        return (attributes[:, columns] * values).amin(dim=1)

    def _edited(self, attributes: Tensor, strength: Tensor) -> Tensor:
        """(N, A): the attributes that are edited set to the strength, with their sign; those that have more stay."""
        after = attributes.clone()
        for index, value in self.edits.items():
            after[:, index] = torch.maximum(strength, value * attributes[:, index]) * value
        return after

    def _strip(self, latents: Tensor, attributes: Tensor, strength: Tensor) -> Tensor:
        """(N, steps, C, S, S): attributes change linearly from the estimate to the edit."""
        after = self._edited(attributes, strength)
        fractions = torch.linspace(0, 1, self.steps)[None, :, None]
        between = torch.lerp(attributes[:, None], after[:, None], fractions)
        images = self.generator.images(latents.repeat_interleave(self.steps, dim=0), between.flatten(0, 1))
        return images.view(-1, self.steps, *images.shape[1:])


def parse_edits(generator: GeneratorNetwork, texts: Iterable[str]) -> dict[int, float]:
    """`Male=1` and `Young=0` as index -> 1.0 and -1.0.

    Raises:
        BadSetting: the generator has no attributes; there is no edit, or an attribute is set to 0 and to 1.
        UnknownName: there is no such attribute.
    """
    if not generator.has_attributes:
        raise BadSetting(
            "This generator has no attributes, so none can be edited. Use one trained on a table of attributes "
            "(`vitrail gan train FOLDER --labels TABLE.csv`)."
        )
    edits = generator.attribute_values(texts)
    if not edits:
        raise BadSetting(f"No edit was given. Use --set {generator.names[0]}=1.")
    return edits


def _add_change(original: Tensor, strip: Tensor) -> Tensor:
    """The change along a strip, added to the original.

    A small generator cannot reproduce an individual face, but the difference between two of its images fits the face
    whose latents they have.
    """
    return (original[:, None].int() + strip.int() - strip[:, :1].int()).clamp(0, 255).to(torch.uint8)


def _to_grey(pixels: Tensor) -> Tensor:
    weights = torch.tensor(GREY)[None, :, None, None]
    return (pixels.float() * weights).sum(dim=1, keepdim=True).round().to(torch.uint8)
