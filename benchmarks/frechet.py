"""CPU seconds of one Fréchet distance, against the usual general root of the product of covariances.

    python benchmarks/frechet.py [--dimension 1280] [--images 5000] [--rounds 3]

`reference`: moments of the real images, computed once. `distance`: each set of samples after that. `general`:
eigenvalues of the product S1 S2, which is not symmetric, as libraries compute them for every distance.
"""

import argparse
import time
from collections.abc import Callable

import torch

from vitrail.metrics.frechet import FrechetDistance


def general(reference: torch.Tensor, features: torch.Tensor) -> float:
    """The distance with eigenvalues of S1 S2, moments and all."""
    means = [each.double().mean(dim=0) for each in (reference, features)]
    one, two = (torch.cov(each.double().T) for each in (reference, features))
    roots = torch.linalg.eigvals(one @ two).sqrt().real.sum()
    return float((means[0] - means[1]).square().sum() + one.trace() + two.trace() - 2 * roots)


def timed(work: Callable[[], object]) -> tuple[float, object]:
    """CPU seconds, and the result."""
    start = time.process_time()
    result = work()
    return time.process_time() - start, result


def main() -> None:
    """Prints the smallest time of each over the rounds, and both distances."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dimension", type=int, default=1280)
    parser.add_argument("--images", type=int, default=5000)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    draws = torch.Generator().manual_seed(0)
    mixing = torch.randn(given.dimension, given.dimension, generator=draws) / given.dimension**0.5
    reference, features = (torch.randn(given.images, given.dimension, generator=draws) @ mixing for _ in range(2))
    least = dict.fromkeys(("reference", "distance", "general"), float("inf"))
    for _ in range(given.rounds):
        seconds, prepared = timed(lambda: FrechetDistance(reference))
        assert isinstance(prepared, FrechetDistance)
        least["reference"] = min(least["reference"], seconds)
        seconds, ours = timed(lambda prepared=prepared: prepared(features))  # type: ignore[misc]
        least["distance"] = min(least["distance"], seconds)
        seconds, theirs = timed(lambda: general(reference, features))
        least["general"] = min(least["general"], seconds)
        print(f"distance {ours:.6f}, by the general root {theirs:.6f}")
    for name, value in least.items():
        print(f"{name:10} {value:6.2f} CPU s")


if __name__ == "__main__":
    main()
