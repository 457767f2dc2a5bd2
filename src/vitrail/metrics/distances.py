"""Table of distances between sets of features.

An entry is a class: `Distance(reference)(features) -> float`, with features (N, D) of real images as the reference;
smaller is better. `SampleEvaluation` computes all of them, those of other packages included.
"""

from vitrail.registry import Registry

METRICS = Registry(
    "metric",
    __name__.rpartition(".")[0],
    {
        "frechet-distance": "frechet:FrechetDistance",
        "kernel-distance": "kernel:KernelDistance",
    },
)
