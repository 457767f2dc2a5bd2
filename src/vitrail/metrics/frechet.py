"""Fréchet distance between two sets of features, each taken for a Gaussian (Dowson and Landau, 1982).

With the features of Inception it is the FID of Heusel et al., 2017, https://arxiv.org/abs/1706.08500; with those of any
other network it is another figure, and is never called so here.
"""

import torch
from torch import Tensor

from vitrail.tensors import Features


class FrechetDistance:
    """‖m₁ - m₂‖² + tr S₁ + tr S₂ - 2 tr (S₁ S₂)^½, in squared units of the features; float64.

    The root is taken of a symmetric matrix (S₁^½ S₂ S₁^½ has the same trace), a tenth of the general root's time, and
    never gives complex numbers. What belongs to the reference is computed once.

    Args:
        reference: (N, D), of real images; N of 2 or more.
    """

    higher_is_better = False

    def __init__(self, reference: Features) -> None:
        self._mean, covariance = _moments(reference)
        self._trace = covariance.trace()
        values, vectors = torch.linalg.eigh(covariance)
        self._root = (vectors * values.clamp_min(0).sqrt()) @ vectors.T

    def __call__(self, features: Features) -> float:
        """The distance of these from the reference; at least 0 but for rounding."""
        mean, covariance = _moments(features)
        product = self._root @ covariance @ self._root
        both = torch.linalg.eigvalsh(product).clamp_min(0).sqrt().sum()
        return float((mean - self._mean).square().sum() + covariance.trace() + self._trace - 2 * both)


def _moments(features: Features) -> tuple[Tensor, Tensor]:
    features = features.double()
    mean = features.mean(dim=0)
    centred = features - mean
    return mean, centred.T @ centred / (len(features) - 1)
