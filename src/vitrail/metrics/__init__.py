"""Metrics of generated images in a feature space, and of probabilities; `METRICS` is the table of distances.

To add a distance: a file here and a line in `distances.py`.
"""

from typing import TYPE_CHECKING

from vitrail.registry import lazy_names

if TYPE_CHECKING:
    from vitrail.metrics.calibration import expected_calibration_error as expected_calibration_error
    from vitrail.metrics.distances import METRICS as METRICS
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
    "Diversity",
    "FrechetDistance",
    "KernelDistance",
    "METRICS",
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

lazy_names(
    __name__,
    {
        "Diversity": "vitrail.metrics.diversity",
        "FrechetDistance": "vitrail.metrics.frechet",
        "KernelDistance": "vitrail.metrics.kernel",
        "METRICS": "vitrail.metrics.distances",
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
