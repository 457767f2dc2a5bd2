"""A generator network with its condition: latents and labels in, 8-bit images out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from vitrail.class_names import class_index
from vitrail.errors import BadSetting
from vitrail.gan.networks import condition_name, condition_table
from vitrail.gan_training.sampling import generate_images, latents_of, sample_labels
from vitrail.tensors import Condition
from vitrail.validation import LARGEST_SAMPLE_SEED, check_count, check_seed, describe

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
            BadSetting: no such seed, or no images.
        """
        _check_draw(count, seed)
        return latents_of(seed, count, self.latent_size)

    def labels(self, label: Label, count: int, seed: int) -> Condition:
        """Conditions of `count` images, (count,) classes or (count, A) attributes, -1 or 1.

        Args:
            label: what all images have; attributes that are not named are sampled as among the training images.
            seed: of that sampling.
        Raises:
            UnknownName: there is no such class or attribute.
            BadSetting: the generator is unconditional, several classes, an attribute that is neither 0 nor 1, or that
                is both; no such seed, or no images.
        """
        _check_draw(count, seed)
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
        for index, value in self.attribute_values(texts).items():
            labels[:, index] = value
        return labels

    def attribute_values(self, texts: Iterable[str]) -> dict[int, float]:
        """`Male=1` and `Young=0` as index -> 1.0 and -1.0, of a generator with attributes.

        Raises:
            UnknownName: there is no such attribute.
            BadSetting: a value is neither 0 nor 1, or an attribute is set to both.
        """
        values: dict[int, float] = {}
        for text in texts:
            name, _, value = text.rpartition("=")
            if value not in ("0", "1"):
                raise BadSetting(f"An attribute must be 1 or 0; got {text!r}. Use {self.names[0]}=1.")
            index, number = class_index(self.names, name, kind="attribute"), 1.0 if value == "1" else -1.0
            if values.setdefault(index, number) != number:
                raise BadSetting(f"{self.names[index]} is set to 0 and to 1. Use one of them.")
        return values

    def label_name(self, label: Tensor) -> str:
        """Name of one image's label: "cat", "+Male −Young", or "" if unconditional."""
        if self.has_attributes:
            return condition_name(label.tolist(), self.names)
        return self.names[int(label)] if self.names else ""

    def images(self, latents: Tensor, labels: Condition) -> Tensor:
        """Images (N, C, S, S) uint8, on the CPU; each is bit-identical in every batch.

        Args:
            latents: (N, latent_size) float32, see `latents`.
            labels: (N,) classes or (N, A) floats, see `labels`; ignored if unconditional.
        Raises:
            BadSetting: latents or labels of another shape or type, or classes that there are not.
        """
        self._check_inputs(latents, labels)
        return generate_images(self.network, latents, labels)

    def _check_inputs(self, latents: Any, labels: Any) -> None:
        count = len(self.names)
        if not _is_matrix(latents, self.latent_size) or not len(latents):
            raise BadSetting(
                f"latents must be a tensor (N, {self.latent_size}) of float32; got {describe(latents)}. "
                "Use generator.latents(seed, count)."
            )
        is_class = isinstance(labels, Tensor) and labels.ndim == 1 and labels.dtype == torch.int64
        in_range = is_class and not self.has_attributes and bool(((labels >= 0) & (labels < count)).all())
        fits = _is_matrix(labels, count) or in_range or (is_class and not count)
        if not fits or len(labels) != len(latents):
            values = "attributes" if self.has_attributes else f"classes below {count}"
            raise BadSetting(
                f"labels must be the {values} of {len(latents)} images; got {describe(labels)}. "
                f"Use generator.labels(None, {len(latents)}, seed)."
            )


def label_texts(label: Label) -> tuple[str, ...]:
    """A label as texts: `cat`, or `Male=1` for each attribute.

    Raises:
        BadSetting: it is none.
    """
    if label is None:
        return ()
    if isinstance(label, str):
        return (label,)
    if isinstance(label, Mapping):
        return tuple(f"{name}={int(value) if isinstance(value, bool) else value}" for name, value in label.items())
    if not isinstance(label, Sequence) or not all(isinstance(text, str) for text in label):
        raise BadSetting(f"A label must be text; got {describe(label)}. Use 'cat' or '3', or {{'Male': 1}}.")
    return tuple(label)


def _is_matrix(value: Any, columns: int) -> bool:
    return isinstance(value, Tensor) and value.ndim == 2 and value.shape[1] == columns and value.dtype == torch.float32


def _check_draw(count: int, seed: int) -> None:
    check_count("The number of images", count)
    check_seed("seed", seed, most=LARGEST_SAMPLE_SEED)
