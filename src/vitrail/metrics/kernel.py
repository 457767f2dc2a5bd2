"""Kernel distance between two sets of features (Bińkowski et al., 2018, https://arxiv.org/abs/1801.01401)."""

from torch import Tensor

from vitrail.tensors import Features


class KernelDistance:
    """Unbiased squared maximum mean discrepancy with the kernel (x·y / D + 1)³; about 0 for equals, also below it.

    Features are brought to the reference's mean and deviation first: on raw ones the cube makes a few large features
    drown the others.

    Args:
        reference: (N, D), of real images.
    """

    higher_is_better = False

    def __init__(self, reference: Features) -> None:
        reference = reference.double()
        self._mean, self._spread = reference.mean(dim=0), reference.std(dim=0).clamp_min(1e-12)
        self._reference = self._standard(reference)
        self._within = _mean_between_others(self._reference)

    def __call__(self, features: Features) -> float:
        """The distance of these from the reference."""
        features = self._standard(features.double())
        across = _kernel(features, self._reference).mean()
        return float(_mean_between_others(features) + self._within - 2 * across)

    def _standard(self, features: Tensor) -> Tensor:
        return (features - self._mean) / self._spread


def _kernel(one: Tensor, two: Tensor) -> Tensor:
    return (one @ two.T / one.shape[1] + 1) ** 3


def _mean_between_others(features: Tensor) -> Tensor:
    kernel, count = _kernel(features, features), len(features)
    return (kernel.sum() - kernel.trace()) / (count * (count - 1))
