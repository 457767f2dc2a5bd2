"""Diversity of samples, and their distance to the training images."""

import math
from dataclasses import dataclass
from typing import Any

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

    A ratio to a distance of 0 is NaN: of held-out images without two different ones of a class, or that are training
    images themselves.
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
        BadSetting: features that are not finite or not of one network, another number of labels than of images, or
            of samples than of held-out images.
    """
    check_features("training", training, least=1)
    for name, pair in (("samples", samples), ("held_out", held_out)):
        _check_pair(name, pair, training)
    if len(samples[0]) != len(held_out[0]):
        raise BadSetting(
            "samples and held_out must be equally many, as fewer images have more distinct neighbours; "
            f"got {len(samples[0])} and {len(held_out[0])}."
        )
    to_training = [nearest_distances(features, training) for features, _ in (samples, held_out)]
    distances = [values.median() for values, _ in to_training]
    distinct = [len(torch.unique(rows)) / len(rows) for _, rows in to_training]
    spread = [within_class_distance(*each) for each in (samples, held_out)]
    return Diversity(
        distance_ratio=spread[0] / spread[1] if spread[1] else math.nan,
        unique_neighbours=distinct[0] / distinct[1],
        novelty=float(distances[0] / distances[1]) if distances[1] else math.nan,
    )


def _check_pair(name: str, pair: Any, training: Tensor) -> None:
    """Raises `BadSetting` unless `pair` is features (N, D) and labels (N,)."""
    if not isinstance(pair, tuple | list) or len(pair) != 2:
        raise BadSetting(f"{name} must be a pair of features and labels; got {describe(pair)}.")
    features, labels = pair
    check_features(name, features, like=training, least=1)
    whole = isinstance(labels, Tensor) and not labels.is_floating_point() and not labels.is_complex()
    if not whole or labels.shape != features.shape[:1]:
        raise BadSetting(
            f"{name} must have a class index for each of {len(features)} images; got {describe(labels)} as labels."
        )


def within_class_distance(features: Features, labels: Labels) -> float:
    """Mean distance between two different images of a class, averaged over the classes with at least two."""
    means = []
    for label in torch.unique(labels):
        own = features[labels == label]
        if len(own) > 1:
            means.append(torch.pdist(own.float()).mean())
    return float(torch.stack(means).mean()) if means else 0.0
