"""What a run keeps of a generator beside its weights, checked before anything is built from it.

A run folder may come from somebody else, and a width of a million is no more than seven characters.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, Strict, StrictInt, model_validator

from vitrail.gan_architectures import GANS
from vitrail.settings import parse_model

MOST_ROWS = 50_000_000
"""Images times attributes that a generator learned from: their labels are drawn from a list of them."""

Size = Annotated[int, Field(ge=1, le=4096)]
Classes = Annotated[int, Field(ge=0, le=100_000)]
Count = Annotated[int, Field(ge=1, le=MOST_ROWS, strict=True)]
Row = StrictInt | list[Literal[-1, 1]]


class _Arguments(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid")

    size: Size
    channels: Literal[1, 3]
    latent_size: Size
    generator_classes: Classes
    discriminator_classes: Classes
    width: Size


class _Described(BaseModel):
    model_config = ConfigDict(strict=True)

    architecture: str
    arguments: _Arguments
    names: list[str]
    attributes: bool
    condition: list[Annotated[tuple[Row, Count], Strict(False)]]

    @model_validator(mode="after")
    def _fits(self) -> _Described:
        told = self.arguments.generator_classes
        rows = [row for row, _ in self.condition]
        if len(self.names) != told or bool(told) != bool(rows) or not self._known(rows):
            raise ValueError("what it is told does not fit its names")
        if sum(count for _, count in self.condition) * max(told, 1) > MOST_ROWS:
            raise ValueError(f"it was told more than {MOST_ROWS:,} labels")
        return self

    def _known(self, rows: list[Any]) -> bool:
        if self.attributes:
            return all(isinstance(row, list) and len(row) == len(self.names) for row in rows)
        return all(isinstance(row, int) and 0 <= row < len(self.names) for row in rows)


def check(about: Mapping[str, Any]) -> None:
    """Nothing, if players can be made as `about` says.

    Raises:
        ValueError: they cannot.
        UnknownName: there is no such architecture.
    """
    GANS.check(parse_model(_Described, about).architecture)
