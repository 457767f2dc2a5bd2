"""How unlike each other samples are, and how unlike the images that their generator learned from."""

from dataclasses import dataclass

import torch

from vitrail.metrics.prdc import nearest_distances
from vitrail.tensors import Features, Labels, OtherFeatures


@dataclass(frozen=True)
class Diversity:
    """Ratios to what real images give: about 1 for a generator that does well.

    Attributes:
        distance_ratio: mean distance between two samples of one class, over that between two real images of it. Near
            0: the generator repeats itself.
        unique_neighbours: share of distinct images among the samples' nearest training images, over the same share
            of held-out real images (a birthday test: Arora et al., 2018, https://arxiv.org/abs/1706.08224).
        novelty: median distance from samples to the nearest training image, over that of held-out real images.
            Well below 1: training images are copied.
    """

    distance_ratio: float
    unique_neighbours: float
    novelty: float


def diversity(
    samples: tuple[Features, Labels], held_out: tuple[Features, Labels], training: OtherFeatures
) -> Diversity:
    """How samples vary, measured against real images that the generator did not see.

    Args:
        samples, held_out: features (N, D) and labels (N,), as many of both; without classes all labels are 0.
        training: features of images that the generator learned from.
    """
    to_training = [nearest_distances(features, training) for features, _ in (samples, held_out)]
    distances = [values.median() for values, _ in to_training]
    distinct = [len(torch.unique(which)) / len(which) for _, which in to_training]
    spread = [within_class_distance(*each) for each in (samples, held_out)]
    return Diversity(
        distance_ratio=spread[0] / max(spread[1], 1e-12),
        unique_neighbours=distinct[0] / distinct[1],
        novelty=float(distances[0] / distances[1].clamp_min(1e-12)),
    )


def within_class_distance(features: Features, labels: Labels) -> float:
    """Mean distance between two different images of one class, over the classes that have two."""
    found = []
    for label in torch.unique(labels):
        own = features[labels == label]
        if len(own) > 1:
            found.append(torch.pdist(own.float()).mean())
    return float(torch.stack(found).mean()) if found else 0.0
