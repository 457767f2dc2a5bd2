"""Metrics of generated images in a feature space, and of probabilities. To add a distance: a file and a line here.

An entry of `METRICS` is a class: `Distance(reference)(features) -> float`, with features (N, D) of real images as the
reference; smaller is better. The first one selects the best epoch of a training.
"""

from typing import TYPE_CHECKING

from vitrail.registry import Registry, lazy_names

if TYPE_CHECKING:
    from vitrail.metrics.calibration import expected_calibration_error as expected_calibration_error
    from vitrail.metrics.diversity import Diversity as Diversity
    from vitrail.metrics.diversity import diversity as diversity
    from vitrail.metrics.frechet import FrechetDistance as FrechetDistance
    from vitrail.metrics.frechet import frechet_distance as frechet_distance
    from vitrail.metrics.kernel import KernelDistance as KernelDistance
    from vitrail.metrics.kernel import kernel_distance as kernel_distance
    from vitrail.metrics.prdc import Prdc as Prdc
    from vitrail.metrics.prdc import prdc as prdc
    from vitrail.metrics.sample_classifier import SampleClassifier as SampleClassifier
    from vitrail.metrics.sample_evaluation import SampleEvaluation as SampleEvaluation
    from vitrail.metrics.sample_evaluation import SampleMetrics as SampleMetrics

__all__ = [
    "METRICS",
    "Diversity",
    "FrechetDistance",
    "KernelDistance",
    "Prdc",
    "SampleClassifier",
    "SampleEvaluation",
    "SampleMetrics",
    "diversity",
    "expected_calibration_error",
    "frechet_distance",
    "kernel_distance",
    "prdc",
]

METRICS = Registry(
    "metric",
    __name__,
    {
        "frechet-distance": "frechet:FrechetDistance",
        "kernel-distance": "kernel:KernelDistance",
    },
)

lazy_names(
    __name__,
    {
        "Diversity": "vitrail.metrics.diversity",
        "FrechetDistance": "vitrail.metrics.frechet",
        "KernelDistance": "vitrail.metrics.kernel",
        "Prdc": "vitrail.metrics.prdc",
        "SampleClassifier": "vitrail.metrics.sample_classifier",
        "SampleEvaluation": "vitrail.metrics.sample_evaluation",
        "SampleMetrics": "vitrail.metrics.sample_evaluation",
        "diversity": "vitrail.metrics.diversity",
        "expected_calibration_error": "vitrail.metrics.calibration",
        "frechet_distance": "vitrail.metrics.frechet",
        "kernel_distance": "vitrail.metrics.kernel",
        "prdc": "vitrail.metrics.prdc",
    },
)
