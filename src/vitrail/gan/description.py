"""The description of a generator in a run folder, checked before a network is built from it.

A run folder may come from somewhere else, and a width of a million is no more than seven characters.
"""

from __future__ import annotations

from collections.abc import Mapping
from inspect import signature
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, Strict, StrictInt, model_validator

from vitrail.gan_architectures import GANS
from vitrail.settings import parse_model

MAX_LABELS = 50_000_000
"""Limit of training images times attributes: `condition_table` allocates as many numbers."""

MAX_SIZE = 4096
"""Limit of the sides, channels and latents of a network."""

Size = Annotated[int, Field(ge=1, le=MAX_SIZE)]
Classes = Annotated[int, Field(ge=0, le=100_000)]
Count = Annotated[int, Field(ge=1, le=MAX_LABELS, strict=True)]
Label = StrictInt | list[Literal[-1, 1]]


def _is_number(value: Any) -> Any:
    if isinstance(value, bool):  # which equals 1
        raise ValueError("it is no number")
    return value


class _Arguments(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid")

    size: Size
    channels: Annotated[Literal[1, 3], BeforeValidator(_is_number)]
    latent_size: Size
    generator_classes: Classes
    discriminator_classes: Classes
    width: Size
    backbone: str = ""


class _Header(BaseModel):
    model_config = ConfigDict(strict=True)

    architecture: str
    arguments: _Arguments
    names: list[str]
    attributes: bool
    condition: list[Annotated[tuple[Label, Count], Strict(False)]]

    @model_validator(mode="after")
    def _condition_fits_names(self) -> _Header:
        classes = self.arguments.generator_classes
        labels = [label for label, _ in self.condition]
        if len(self.names) != classes or bool(classes) != bool(labels) or not self._are_valid(labels):
            raise ValueError("the condition does not fit its names")
        if "backbone" in self.arguments.model_fields_set and not takes_backbone(self.architecture):
            raise ValueError(f"{self.architecture} takes no backbone")
        if sum(count for _, count in self.condition) * max(classes, 1) > MAX_LABELS:
            raise ValueError(f"the condition has more than {MAX_LABELS:,} labels")
        return self

    def _are_valid(self, labels: list[Any]) -> bool:
        if self.attributes:
            return all(isinstance(label, list) and len(label) == len(self.names) for label in labels)
        return all(isinstance(label, int) and 0 <= label < len(self.names) for label in labels)


def takes_backbone(architecture: str) -> bool:
    """Whether the discriminator of an architecture sees images through a frozen pretrained network.

    Raises:
        UnknownName: there is no such architecture.
    """
    return "backbone" in signature(GANS[architecture]).parameters


def check_description(description: Mapping[str, Any]) -> None:
    """Returns if `gan.networks.build` can build networks from a description.

    Raises:
        ValueError: it cannot; the first thing that is wrong.
        UnknownName: there is no such architecture.
    """
    GANS.check(parse_model(_Header, description).architecture)
