"""Kernel distance between two sets of features (Bińkowski et al., 2018, https://arxiv.org/abs/1801.01401)."""

from dataclasses import dataclass

import torch
from torch import Tensor

from vitrail.devices import to_float64
from vitrail.metrics.arguments import FEWEST, check_features
from vitrail.tensors import Features, OtherFeatures
from vitrail.validation import check_count, check_seed

SUBSETS, SIZE = 100, 1000  # as the KID is usually computed
WHOLE = 4096  # images a side up to which the kernel of all pairs is computed once


@dataclass(frozen=True)
class KernelEstimate:
    """A kernel distance, as it is published: "0.012 ± 0.003".

    Attributes:
        mean: over the subsets.
        deviation: standard deviation over the subsets; 0 where a subset is the whole set.
    """

    mean: float
    deviation: float


class KernelDistance:
    """Unbiased squared maximum mean discrepancy (MMD) with the kernel (x·y / D + 1)³; about 0 for equal distributions.

    The mean over random subsets. With Inception features it is the KID.

    Args:
        reference: features of real images, (N, D), N of 2 or more.
        subsets: number of subsets.
        size: images of a subset on each side; None: 1,000, or half of them where there are fewer than 2,000.
        seed: of the subsets.

    Raises:
        BadSetting: features that are not finite, of fewer images than a subset, or of another D.
    """

    higher_is_better = False

    def __init__(self, reference: Features, *, subsets: int = SUBSETS, size: int | None = None, seed: int = 0) -> None:
        check_features("reference", reference)
        check_count("subsets", subsets)
        if size is not None:
            check_count("size", size, least=FEWEST, most=len(reference))
        check_seed("seed", seed)
        self._like, self._reference = reference[:0], to_float64(reference)
        self._subsets, self._size, self._seed = subsets, size, seed

    def __call__(self, features: Features) -> float:
        """The distance of features (M, D) from the reference; negative values are possible, as it is unbiased."""
        return self.estimate(features).mean

    def estimate(self, features: Features) -> KernelEstimate:
        """Mean and deviation over the subsets, of features (M, D)."""
        check_features("features", features, like=self._like, least=self._size or FEWEST)
        features, reference = to_float64(features), self._reference
        size = self._size or max(FEWEST, min(SIZE, len(features) // 2, len(reference) // 2))
        draws = torch.Generator().manual_seed(self._seed)
        kernels = _Kernels(features, reference)
        values = torch.stack(
            [
                kernels.discrepancy(
                    *(torch.randperm(len(each), generator=draws)[:size] for each in (features, reference))
                )
                for _ in range(self._subsets)
            ]
        )
        return KernelEstimate(float(values.mean()), float(values.std(correction=0)))


def kernel_distance(
    features: Features, reference: OtherFeatures, *, subsets: int = SUBSETS, size: int | None = None
) -> KernelEstimate:
    """Kernel distance of features (M, D) from a reference (N, D); about 0 for equal distributions.

    With Inception features it is the KID (Bińkowski et al., 2018, https://arxiv.org/abs/1801.01401).
    `KernelDistance` serves several sets with one reference.

    Args:
        subsets, size: number of random subsets, and images of each; None: 1,000, or half of fewer than 2,000.

    Raises:
        BadSetting: features that are not finite, not of one network, or of fewer images than a subset.
    """
    return KernelDistance(reference, subsets=subsets, size=size).estimate(features)


class _Kernels:
    """Kernels between samples and real images, for many subsets of them."""

    def __init__(self, features: Tensor, reference: Tensor) -> None:
        self._pair = features, reference
        self._whole = None
        if max(len(features), len(reference)) <= WHOLE:
            self._whole = (_kernel(features, features), _kernel(reference, reference), _kernel(features, reference))

    def discrepancy(self, mine: Tensor, real: Tensor) -> Tensor:
        """The unbiased squared MMD of two subsets, by their row numbers."""
        if self._whole is None:
            features, reference = (each[rows] for each, rows in zip(self._pair, (mine, real), strict=True))
            inner, outer, across = (
                _kernel(features, features),
                _kernel(reference, reference),
                _kernel(features, reference),
            )
        else:
            pairs = ((mine, mine), (real, real), (mine, real))
            inner, outer, across = (
                whole[rows[:, None], columns] for whole, (rows, columns) in zip(self._whole, pairs, strict=True)
            )
        return _mean_off_diagonal(inner) + _mean_off_diagonal(outer) - 2 * across.mean()


def _kernel(one: Tensor, two: Tensor) -> Tensor:
    return (one @ two.T / one.shape[1] + 1) ** 3


def _mean_off_diagonal(kernel: Tensor) -> Tensor:
    count = len(kernel)
    return (kernel.sum() - kernel.trace()) / (count * (count - 1))
