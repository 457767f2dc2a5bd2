"""Precision, recall, density and coverage: where samples lie among real images, and which of those they meet.

Sources: Kynkäänniemi et al., 2019, https://arxiv.org/abs/1904.06991 (precision, recall); Naeem et al., 2020,
https://arxiv.org/abs/2002.09797 (density, coverage).
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from vitrail.errors import BadSetting
from vitrail.tensors import Features, OtherFeatures, Scores

NEAREST = 5
ROWS = 1024  # distances of so many at once


@dataclass(frozen=True)
class Prdc:
    """Shares in [0, 1], but for density, which may exceed 1.

    Attributes:
        precision: of the samples, those within a real image's reach (the distance to its k-th real neighbour).
        recall: of the real images, those within a sample's reach.
        density: how many real images' reaches a sample lies in, over k.
        coverage: of the real images, those with a sample within their own reach. Alone among these it sees both that
            a class is missing and that one image is repeated.
    """

    precision: float
    recall: float
    density: float
    coverage: float


def prdc(features: Features, reference: OtherFeatures, *, nearest: int = NEAREST) -> Prdc:
    """How samples and real images lie among each other; compare only figures of equal numbers of both.

    Args:
        features, reference: (M, D) of samples, (N, D) of real images.
    Raises:
        BadSetting: either has no more than `nearest` rows.
    """
    fewest = min(len(features), len(reference))
    if fewest <= nearest:
        raise BadSetting(f"Neighbours need more than {nearest} images on each side; got {fewest}.")
    reach, own_reach = knn_radii(reference, nearest), knn_radii(features, nearest)
    within, hit = torch.zeros(len(features)), torch.zeros(len(reference), dtype=torch.bool)
    covered = torch.zeros(len(reference), dtype=torch.bool)
    for start in range(0, len(reference), ROWS):
        rows = slice(start, start + ROWS)
        distances = torch.cdist(reference[rows], features)
        inside = distances <= reach[rows, None]
        within += inside.sum(dim=0)
        covered[rows] = inside.any(dim=1)
        hit[rows] = (distances <= own_reach).any(dim=1)
    return Prdc(
        precision=float((within > 0).float().mean()),
        recall=float(hit.float().mean()),
        density=float(within.mean() / nearest),
        coverage=float(covered.float().mean()),
    )


def knn_radii(features: Features, nearest: int) -> Scores:
    """Distance of each to its `nearest`-th neighbour among the others, (N,)."""
    return torch.cat([_smallest(part, features, nearest + 1)[:, -1] for part in torch.split(features, ROWS)])


def nearest_distances(features: Features, others: OtherFeatures) -> tuple[Scores, Tensor]:
    """Distance of each to the nearest of `others`, and which that is, (N,) each."""
    found = [torch.cdist(part, others).min(dim=1) for part in torch.split(features, ROWS)]
    return torch.cat([each.values for each in found]), torch.cat([each.indices for each in found])


def _smallest(rows: Tensor, others: Tensor, count: int) -> Tensor:
    """The smallest distances of each row, itself (0) among them, rising: (N, count)."""
    values: Tensor = torch.cdist(rows, others).topk(count, dim=1, largest=False).values
    return values
