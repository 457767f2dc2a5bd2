"""A network as tasks use it: the model itself, and an optimised copy with the same values in less time."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from vitrail.backbones.backbone import Backbone


@dataclass(frozen=True)
class Network:
    """A backbone, or the classifier in a run folder.

    Attributes:
        reference: the model as it was loaded; every stored prediction is its own.
        fast: an optimised copy, equal up to float32's rounding, for gradients and searches.
        identity: `name`, and the digest of the weights, as stored in `result.json`.
        device: where both are: "cpu", "cuda:0".
    """

    reference: Backbone = field(repr=False)
    fast: Backbone = field(repr=False)
    identity: dict[str, Any]
    device: str

    @property
    def name(self) -> str:
        """What a figure calls it."""
        return str(self.identity["name"])

    @property
    def classes(self) -> tuple[str, ...]:
        """What its logits stand for."""
        return self.reference.classes
