"""Fréchet distance between two sets of features, each modelled as a Gaussian (Dowson and Landau, 1982).

With Inception features it is the FID (Heusel et al., 2017, https://arxiv.org/abs/1706.08500); with the features of any
other network it is another metric, and is called FD.
"""

import torch
from torch import Tensor

from vitrail.devices import to_float64
from vitrail.metrics.arguments import check_features
from vitrail.tensors import Features, OtherFeatures


class FrechetDistance:
    """‖m₁ - m₂‖² + tr S₁ + tr S₂ - 2 tr (S₁ S₂)^½, in squared units of the features; float64.

    The square root is taken of a symmetric matrix (S₁^½ S₂ S₁^½ has the same trace): a tenth of the time of the general
    root, and never complex. The moments of the reference are computed once.

    Args:
        reference: features of real images, (N, D), N of 2 or more.

    Raises:
        BadSetting: features that are not finite, of fewer images, or of another D.
    """

    higher_is_better = False

    def __init__(self, reference: Features) -> None:
        check_features("reference", reference)
        self._like = reference[:0]  # its device is not that of the moments on MPS
        self._mean, covariance = _moments(reference)
        self._trace = covariance.trace()
        values, vectors = torch.linalg.eigh(covariance)
        self._root = (vectors * values.clamp_min(0).sqrt()) @ vectors.T

    def __call__(self, features: Features) -> float:
        """The distance of features (M, D) from the reference; at least 0 up to rounding."""
        check_features("features", features, like=self._like)
        mean, covariance = _moments(features)
        product = self._root @ covariance @ self._root
        both = torch.linalg.eigvalsh(product).clamp_min(0).sqrt().sum()
        return float((mean - self._mean).square().sum() + covariance.trace() + self._trace - 2 * both)


def frechet_distance(features: Features, reference: OtherFeatures) -> float:
    """Fréchet distance of features (M, D) from a reference (N, D), in squared units; 0 for equal sets.

    With Inception features it is the FID (Heusel et al., 2017, https://arxiv.org/abs/1706.08500). The value depends on
    M and N: compare only values of equal counts. `FrechetDistance` serves several sets with one reference.
    """
    return FrechetDistance(reference)(features)


def _moments(features: Features) -> tuple[Tensor, Tensor]:
    features = to_float64(features)
    mean = features.mean(dim=0)
    centred = features - mean
    return mean, centred.T @ centred / (len(features) - 1)
