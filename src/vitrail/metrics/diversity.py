"""Diversity of samples, and their distance to the training images."""

from dataclasses import dataclass

import torch
from torch import Tensor

from vitrail.errors import BadSetting
from vitrail.metrics.arguments import check_features
from vitrail.metrics.prdc import nearest_distances
from vitrail.tensors import Features, Labels, OtherFeatures
from vitrail.validation import describe


@dataclass(frozen=True)
class Diversity:
    """Ratios to held-out real images: about 1 for a good generator.

    Attributes:
        distance_ratio: mean distance between two samples of a class, divided by that between two real images of it.
            Near 0: mode collapse.
        unique_neighbours: fraction of distinct images among the samples' nearest training images, divided by that of
            held-out real images (a birthday test: Arora et al., 2018, https://arxiv.org/abs/1706.08224).
        novelty: median distance from samples to the nearest training image, divided by that of held-out real images.
            Well below 1: training images are copied.
    """

    distance_ratio: float
    unique_neighbours: float
    novelty: float


def diversity(
    samples: tuple[Features, Labels], held_out: tuple[Features, Labels], training: OtherFeatures
) -> Diversity:
    """Diversity of samples relative to real images that the generator was not trained on.

    Args:
        samples, held_out: features (N, D) and labels (N,), equally many of both; without classes all labels are 0.
        training: features of the training images, (M, D).
    Raises:
        BadSetting: features that are not finite or not of one network, or another number of labels than of images.
    """
    check_features("training", training, least=1)
    for name, (features, labels) in (("samples", samples), ("held_out", held_out)):
        check_features(name, features, like=training, least=1)
        if not isinstance(labels, Tensor) or labels.shape[:1] != features.shape[:1]:
            raise BadSetting(f"{name} must have a label for each of {len(features)} images; got {describe(labels)}.")
    to_training = [nearest_distances(features, training) for features, _ in (samples, held_out)]
    distances = [values.median() for values, _ in to_training]
    distinct = [len(torch.unique(rows)) / len(rows) for _, rows in to_training]
    spread = [within_class_distance(*each) for each in (samples, held_out)]
    return Diversity(
        distance_ratio=spread[0] / max(spread[1], 1e-12),
        unique_neighbours=distinct[0] / distinct[1],
        novelty=float(distances[0] / distances[1].clamp_min(1e-12)),
    )


def within_class_distance(features: Features, labels: Labels) -> float:
    """Mean distance between two different images of a class, averaged over the classes with at least two."""
    means = []
    for label in torch.unique(labels):
        own = features[labels == label]
        if len(own) > 1:
            means.append(torch.pdist(own.float()).mean())
    return float(torch.stack(means).mean()) if means else 0.0
