"""Precision, recall, density and coverage (PRDC) of samples, from nearest neighbours in feature space.

Sources: Kynkäänniemi et al., 2019, https://arxiv.org/abs/1904.06991 (precision, recall); Naeem et al., 2020,
https://arxiv.org/abs/2002.09797 (density, coverage).
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from vitrail.errors import BadSetting
from vitrail.metrics.arguments import check_features
from vitrail.tensors import Features, OtherFeatures, Scores
from vitrail.validation import check_count

NEAREST = 5
ROWS = 1024  # of a block of the distance matrix


@dataclass(frozen=True)
class Prdc:
    """Fractions in [0, 1], except density, which may exceed 1.

    The k-NN radius of an image is the distance to its k-th nearest neighbour in its own set.

    Attributes:
        precision: fraction of samples within the k-NN radius of any real image.
        recall: fraction of real images within the k-NN radius of any sample.
        density: mean number of real images whose k-NN radius contains a sample, divided by k.
        coverage: fraction of real images whose k-NN radius contains a sample. The only one of the four that falls both
            when a class is missing and when one image is repeated.
    """

    precision: float
    recall: float
    density: float
    coverage: float


def prdc(features: Features, reference: OtherFeatures, *, nearest: int = NEAREST) -> Prdc:
    """Precision, recall, density and coverage of samples; compare only values of equal counts.

    Args:
        features: of samples, (M, D).
        reference: features of real images, (N, D).
        nearest: k.
    Raises:
        BadSetting: features that are not finite or not of one network, or no more than `nearest` images on a side.
    """
    check_count("nearest", nearest)
    check_features("reference", reference)
    check_features("features", features, like=reference)
    fewest = min(len(features), len(reference))
    if fewest <= nearest:
        raise BadSetting(
            f"PRDC with {nearest} neighbours needs more than {nearest} images on each side; got {fewest}. "
            "Use more images."
        )
    features, reference = _aligned(features, reference)
    real_radii, sample_radii = knn_radii(reference, nearest), knn_radii(features, nearest)
    containing = torch.zeros(len(features), device=features.device)
    recalled, covered = torch.zeros(2, len(reference), dtype=torch.bool, device=features.device)
    for start in range(0, len(reference), ROWS):
        rows = slice(start, start + ROWS)
        distances = torch.cdist(reference[rows], features)
        inside = distances <= real_radii[rows, None]
        containing += inside.sum(dim=0)
        covered[rows] = inside.any(dim=1)
        recalled[rows] = (distances <= sample_radii).any(dim=1)
    return Prdc(
        precision=float((containing > 0).float().mean()),
        recall=float(recalled.float().mean()),
        density=float(containing.mean() / nearest),
        coverage=float(covered.float().mean()),
    )


def covered_images(features: Features, reference: OtherFeatures, *, nearest: int = NEAREST) -> Tensor:
    """Which images of a reference (N, D) have a sample within their k-NN radius, (N,); coverage is their share."""
    features, reference = _aligned(features, reference)
    radii = knn_radii(reference, nearest)
    return nearest_distances(reference, features)[0] <= radii


def knn_radii(features: Features, nearest: int) -> Scores:
    """k-NN radii: distance of each row to its `nearest`-th neighbour among the other rows, (N,)."""
    return torch.cat([_smallest(part, features, nearest + 1)[:, -1] for part in torch.split(features, ROWS)])


def nearest_distances(features: Features, others: OtherFeatures) -> tuple[Scores, Tensor]:
    """Distance of each row to the nearest of `others`, and the row number of that one, (N,) each."""
    features, others = _aligned(features, others)
    parts = [torch.cdist(part, others).min(dim=1) for part in torch.split(features, ROWS)]
    return torch.cat([each.values for each in parts]), torch.cat([each.indices for each in parts])


def _aligned(features: Tensor, others: Tensor) -> tuple[Tensor, Tensor]:
    """Both of one type, moved to the middle of `others`.

    `torch.cdist` multiplies rows: far from 0, their distances would be lost in rounding.
    """
    kind = torch.promote_types(torch.promote_types(features.dtype, others.dtype), torch.float32)
    features, others = features.to(kind), others.to(kind)
    middle = others.mean(dim=0)
    return features - middle, others - middle


def _smallest(rows: Tensor, others: Tensor, count: int) -> Tensor:
    """The smallest distances of each row in ascending order, its own (0) included: (N, count)."""
    values: Tensor = torch.cdist(rows, others).topk(count, dim=1, largest=False).values
    return values
