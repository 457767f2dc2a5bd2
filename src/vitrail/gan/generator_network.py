"""A generator network with its condition: latents and labels in, 8-bit images out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from vitrail.class_names import class_index
from vitrail.errors import BadSetting
from vitrail.gan.networks import condition_name, condition_table
from vitrail.gan_training.sampling import generate_images, latents_of, sample_labels
from vitrail.tensors import Condition
from vitrail.validation import check_count, describe

LARGEST_SEED = 2**63 - 1

Label = str | Sequence[str] | Mapping[str, int] | None
"""A label as users write it: a class ("cat"), attributes (["Male=1", "Young=0"] or {"Male": 1}), or None: any."""


@dataclass(frozen=True)
class GeneratorNetwork:
    """A generator network and its description.

    Attributes:
        network: in evaluation mode, on its device.
        description: `architecture`, `arguments`, `names`, `attributes`, `condition`, see `gan.networks.describe`;
            after a training also `data`, `epoch` and `seed`.
    """

    network: nn.Module = field(repr=False)
    description: Mapping[str, Any]

    @property
    def names(self) -> tuple[str, ...]:
        """Classes or attributes of the condition; empty: unconditional."""
        return tuple(self.description["names"])

    @property
    def has_attributes(self) -> bool:
        """Whether the condition is a value per attribute rather than one class."""
        return bool(self.description["attributes"])

    @property
    def latent_size(self) -> int:
        """Dimension of the latents."""
        return int(self.description["arguments"]["latent_size"])

    @property
    def size(self) -> int:
        """Side of the images in pixels."""
        return int(self.description["arguments"]["size"])

    @property
    def channels(self) -> int:
        """1 (grey) or 3 (RGB)."""
        return int(self.description["arguments"]["channels"])

    def latents(self, seed: int, count: int) -> Tensor:
        """Latents (count, latent_size) from N(0, 1); row k depends on seed + k alone.

        Raises:
            BadSetting: no image, or a seed below 0.
        """
        check_count("The number of images", count)
        check_count("seed", seed, least=0, most=LARGEST_SEED)
        return latents_of(seed, count, self.latent_size)

    def labels(self, label: Label, count: int, seed: int) -> Condition:
        """Conditions of `count` images, (count,) classes or (count, A) attributes, -1 or 1.

        Args:
            label: what all images have; attributes that are not named are sampled as among the training images.
            seed: of that sampling.
        Raises:
            UnknownName: there is no such class or attribute.
            BadSetting: the generator is unconditional, several classes, or an attribute that is neither 0 nor 1.
        """
        texts = label_texts(label)
        sampled = sample_labels(condition_table(self.description), count, seed)
        if not texts:
            return sampled
        if not self.names:
            raise BadSetting(f"This generator is unconditional; got the label {texts[0]!r}. Leave it out.")
        if not self.has_attributes:
            if len(texts) > 1:
                raise BadSetting(f"An image has one class; got {', '.join(texts)}. Use one run for each.")
            return torch.full((count,), class_index(self.names, texts[0]))
        labels = sampled.clone()
        for index, value in map(self.parse_attribute, texts):
            labels[:, index] = value
        return labels

    def parse_attribute(self, text: str) -> tuple[int, float]:
        """Index and value of `Male=1` (1.0) or `Male=0` (-1.0).

        Raises:
            UnknownName: there is no such attribute.
            BadSetting: the value is neither 0 nor 1.
        """
        name, _, value = text.partition("=")
        if value not in ("0", "1"):
            raise BadSetting(f"An attribute must be 1 or 0; got {text!r}. Use {self.names[0]}=1.")
        return class_index(self.names, name, kind="attribute"), 1.0 if value == "1" else -1.0

    def label_name(self, label: Tensor) -> str:
        """Name of one image's label: "cat", "+Male −Young", or "" if unconditional."""
        if self.has_attributes:
            return condition_name(label.tolist(), self.names)
        return self.names[int(label)] if self.names else ""

    def images(self, latents: Tensor, labels: Condition) -> Tensor:
        """Images (N, C, S, S) uint8, on the CPU; each is bit-identical in every batch."""
        return generate_images(self.network, latents, labels)


def check_generator(generator: Any) -> None:
    """Raises `BadSetting` unless it is a generator, such as `vitrail.gan.load` gives."""
    if not all(hasattr(generator, name) for name in ("latents", "images", "names", "description")):
        raise BadSetting(f"A generator is needed; got {describe(generator)}. Use vitrail.gan.load(RUN).")


def label_texts(label: Label) -> tuple[str, ...]:
    """A label as texts: `cat`, or `Male=1` for each attribute.

    Raises:
        BadSetting: it is none.
    """
    if label is None:
        return ()
    if isinstance(label, Mapping):
        label = [f"{name}={int(value) if isinstance(value, bool) else value}" for name, value in label.items()]
    texts = (label,) if isinstance(label, str) else tuple(label) if isinstance(label, Sequence) else None
    if texts is None or not all(isinstance(text, str) for text in texts):
        raise BadSetting(f"A label must be a name, or attributes; got {describe(label)}. Use 'cat' or {{'Male': 1}}.")
    return texts
