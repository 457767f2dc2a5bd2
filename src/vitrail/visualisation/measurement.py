"""What networks see in images as they are saved: probability of the class, or mean activation of the channel."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from vitrail.backbones.network import Network
from vitrail.visualisation.second_network import saved_activations, saved_probabilities
from vitrail.visualisation.targets import VisualisationTarget

RECOGNISED = 0.5
"""Probability from which a network is said to recognise the class."""


class Measurement:
    """Measures saved images.

    Args:
        network: the network for which the images are made.
        second: another network with the same classes, or None.
    Attributes:
        forwards: number of forward passes of `network`.
    """

    def __init__(self, network: Network, second: Network | None) -> None:
        self.forwards = 0
        self._network, self._second = network, second

    def probability(self, png: bytes, index: int, *, counted: bool = True) -> float:
        """The network's probability of a class.

        Args:
            counted: whether it counts in `forwards`.
        """
        self.forwards += counted
        return float(saved_probabilities(self._network.reference, png)[index])

    def class_values(self, png: bytes, target: VisualisationTarget) -> dict[str, Any]:
        """`probability` of both networks, and whether the second predicts the class; as in `result.json`."""
        values = {"index": target.index, "name": target.name, "probability": self.probability(png, target.index)}
        if self._second is None:
            return {**values, "judge_probability": None, "judge_agrees": None}
        other = saved_probabilities(self._second.reference, png)
        agrees = int(other.argmax()) == target.index
        return {**values, "judge_probability": float(other[target.index]), "judge_agrees": agrees}

    def channel_values(self, png: bytes, target: VisualisationTarget) -> dict[str, Any]:
        """Mean `activation` of the channel; as in `result.json`."""
        self.forwards += 1
        activations = saved_activations(self._network.reference, png, target.layer)
        return {"channel": target.name, "activation": float(activations[target.index].mean())}


def is_recognised(values: Mapping[str, Any]) -> bool:
    """Whether the network recognises the class, given `class_values`."""
    return bool(values["probability"] >= RECOGNISED)


def is_own_only(values: Mapping[str, Any]) -> bool:
    """Whether the network recognises the class and the second network predicts another."""
    return is_recognised(values) and values["judge_agrees"] is False
