"""Fréchet distance between two sets of features, each modelled as a Gaussian (Dowson and Landau, 1982).

With Inception features it is the FID (Heusel et al., 2017, https://arxiv.org/abs/1706.08500); with the features of any
other network it is another metric, and is called FD.
"""

from functools import cached_property

import torch
from torch import Tensor

from vitrail.devices import to_float64
from vitrail.metrics.arguments import check_features
from vitrail.tensors import Features, OtherFeatures


class FrechetDistance:
    """‖m₁ - m₂‖² + tr S₁ + tr S₂ - 2 tr (S₁ S₂)^½, in squared units of the features; float64.

    The square root is taken of a symmetric matrix (S₁^½ S₂ S₁^½ has the same trace): a tenth of the time of the general
    root, and never complex. The root of the reference is computed once.

    Args:
        reference: features of real images, (N, D), N of 2 or more.

    Raises:
        BadSetting: features that are not finite, of fewer images, or of another D.
    """

    higher_is_better = False

    def __init__(self, reference: Features) -> None:
        check_features("reference", reference)
        self._like = reference[:0]  # its device is not that of the moments on MPS
        self._mean, self._rows = _centred(reference)
        self._trace = self._rows.square().sum()

    def __call__(self, features: Features) -> float:
        """The distance of features (M, D) from the reference; at least 0 up to rounding."""
        check_features("features", features, like=self._like)
        mean, rows = _centred(features)
        distance = (mean - self._mean).square().sum() + rows.square().sum() + self._trace
        return float(distance - 2 * self._trace_of_root(rows))

    def _trace_of_root(self, rows: Tensor) -> Tensor:
        """Trace of (S₁ S₂)^½, where S₁ = R₁ᵀR₁ and S₂ = R₂ᵀR₂: the sum of the singular values of R₁R₂ᵀ.

        Where that is larger than the covariances, those of S₁^½ R₂ᵀ, which are the same.
        """
        root = self._rows if len(self._rows) < rows.shape[1] else self._root
        both = root @ rows.T
        product = both @ both.T if len(both) <= both.shape[1] else both.T @ both
        trace: Tensor = torch.linalg.eigvalsh(product).clamp_min(0).sqrt().sum()
        return trace

    @cached_property
    def _root(self) -> Tensor:
        values, vectors = torch.linalg.eigh(self._rows.T @ self._rows)
        root: Tensor = (vectors * values.clamp_min(0).sqrt()) @ vectors.T
        return root


def frechet_distance(features: Features, reference: OtherFeatures) -> float:
    """Fréchet distance of features (M, D) from a reference (N, D), in squared units; 0 for equal sets.

    With Inception features it is the FID (Heusel et al., 2017, https://arxiv.org/abs/1706.08500). The value depends on
    M and N: compare only values of equal counts. `FrechetDistance` serves several sets with one reference.
    """
    return FrechetDistance(reference)(features)


def _centred(features: Features) -> tuple[Tensor, Tensor]:
    """Mean, and rows R without it and scaled so that RᵀR is the covariance."""
    features = to_float64(features)
    mean = features.mean(dim=0)
    return mean, (features - mean) / (len(features) - 1) ** 0.5
