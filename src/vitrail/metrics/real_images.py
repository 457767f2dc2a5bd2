"""Features of real images that generated ones are compared with, and all metrics against them."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from vitrail.metrics.distances import METRICS
from vitrail.metrics.diversity import diversity
from vitrail.metrics.kernel import KernelDistance
from vitrail.metrics.prdc import NEAREST, covered_images, nearest_distances, prdc
from vitrail.tensors import Features, Labels, OtherFeatures

COPY = 0.5  # of the usual distance, as the alarm `copies` has it for the median
CONSTANT = 1e-6  # of the largest deviation of a feature: below it a feature is constant


@dataclass(frozen=True)
class Measured:
    """Metrics of samples.

    Attributes:
        values: by name; those that are undefined are missing.
        deviations: of those that are means over subsets.
    """

    values: dict[str, float]
    deviations: dict[str, float]


class RealImages:
    """Real images in the features of one network.

    Features that are constant among them say nothing of real images and are left out of every metric.

    Args:
        reference: (N, D), to which samples are compared.
        training: (M, D), that samples may be copies of.
        held_out: features and labels of as many images as there will be samples.

    Attributes:
        constant: number of constant features; 0 where all are, as nothing would remain.
    """

    def __init__(self, reference: Features, training: OtherFeatures, held_out: tuple[Features, Labels]) -> None:
        spread = reference.std(dim=0)
        self._varied = spread > CONSTANT * spread.max()
        if not self._varied.any():
            self._varied = torch.ones_like(self._varied)
        self.constant = int((~self._varied).sum())
        self._reference, self._training = reference[:, self._varied], training[:, self._varied]
        self._held_out = held_out[0][:, self._varied], held_out[1]
        self._distances = {name: METRICS[name](self._reference) for name in METRICS}

    @property
    def count(self) -> int:
        """Number of real images, those to train on and the held-out ones."""
        return len(self._training) + len(self._held_out[0])

    def distance(self, name: str, features: Features) -> float:
        """One of `METRICS` of samples (N, D)."""
        return float(self._distances[name](features[:, self._varied]))

    def covered(self, features: Features) -> Tensor:
        """Which images of the reference have a sample near them, (N,); for more than `NEAREST` images on each side."""
        return covered_images(features[:, self._varied], self._reference)

    def near_copies(self, features: Features) -> int:
        """Number of samples nearer to a real image than half of the median from held-out images to training images."""
        samples, held_out = features[:, self._varied], self._held_out[0]
        usual = nearest_distances(held_out, self._training)[0].median()
        nearest = nearest_distances(samples, torch.cat([self._training, held_out]))[0]
        return int((nearest < COPY * usual).sum())

    def measure(self, features: Features, labels: Labels) -> Measured:
        """Every metric of samples (N, D)."""
        features = features[:, self._varied]
        values, deviations = dict[str, float](), dict[str, float]()
        for name, distance in self._distances.items():
            if isinstance(distance, KernelDistance):
                estimate = distance.estimate(features)
                values[name], deviations[name] = estimate.mean, estimate.deviation
            else:
                values[name] = distance(features)
        if min(len(features), len(self._reference)) > NEAREST:
            values |= vars(prdc(features, self._reference))
        varied = vars(diversity((features, labels), self._held_out, self._training))
        # Without two held-out images of a class there is nothing to divide by: no figure, and no alarm about it.
        values |= {name.replace("_", "-"): value for name, value in varied.items() if not math.isnan(value)}
        return Measured(values, deviations)
