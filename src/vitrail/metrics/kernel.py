"""Kernel distance between two sets of features (Bińkowski et al., 2018, https://arxiv.org/abs/1801.01401)."""

import torch
from torch import Tensor

from vitrail.devices import to_float64
from vitrail.metrics.arguments import check_features
from vitrail.tensors import Features, OtherFeatures

CONSTANT = 1e-6  # of the largest deviation of a feature: below it a feature is constant


class KernelDistance:
    """Unbiased squared maximum mean discrepancy (MMD) with the kernel (x·y / D + 1)³; about 0 for equal distributions.

    Features are standardised with the reference's mean and deviation: in raw ones a few large features dominate the
    cubic kernel. With raw Inception features the metric is the KID.

    Args:
        reference: features of real images, (N, D), N of 2 or more.

    Raises:
        BadSetting: features that are not finite, of fewer images, or of another D.
    """

    higher_is_better = False

    def __init__(self, reference: Features) -> None:
        check_features("reference", reference)
        self._like, reference = reference[:0], to_float64(reference)
        self._mean, spread = reference.mean(dim=0), reference.std(dim=0)
        # A feature that no real image varies in has no scale: divided by nearly 0, it would be all that counts.
        self._spread = torch.where(spread > CONSTANT * spread.max(), spread, 1.0)
        self._reference = self._standard(reference)
        self._within = _mean_off_diagonal(self._reference)

    def __call__(self, features: Features) -> float:
        """The distance of features (M, D) from the reference; negative values are possible, as it is unbiased."""
        check_features("features", features, like=self._like)
        features = self._standard(to_float64(features))
        across = _kernel(features, self._reference).mean()
        return float(_mean_off_diagonal(features) + self._within - 2 * across)

    def _standard(self, features: Tensor) -> Tensor:
        return (features - self._mean) / self._spread


def kernel_distance(features: Features, reference: OtherFeatures) -> float:
    """Kernel distance of features (M, D) from a reference (N, D); about 0 for equal distributions.

    As the KID (Bińkowski et al., 2018, https://arxiv.org/abs/1801.01401), but on features standardised with the
    reference. `KernelDistance` serves several sets with one reference.
    """
    return KernelDistance(reference)(features)


def _kernel(one: Tensor, two: Tensor) -> Tensor:
    return (one @ two.T / one.shape[1] + 1) ** 3


def _mean_off_diagonal(features: Tensor) -> Tensor:
    kernel, count = _kernel(features, features), len(features)
    return (kernel.sum() - kernel.trace()) / (count * (count - 1))
