"""A network as tasks use it: as it was made, and an optimised copy that gives the same values sooner."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from vitrail.backbones.backbone import Backbone


@dataclass(frozen=True)
class Network:
    """A backbone, or the classifier in a run folder.

    Attributes:
        plain: as it is made: what it says counts.
        quick: the same numbers to float32's rounding, sooner; for gradients and for searching.
        identity: its `name` and which weights, as `result.json` names it.
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
