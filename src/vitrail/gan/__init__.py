"""GAN workflows: train and evaluate generators, load them, and sample, interpolate, edit and export.

`train`, `evaluate` and `sweep` yield events while they work; the last one has the result.
"""

from typing import TYPE_CHECKING

from vitrail.registry import lazy_names

if TYPE_CHECKING:
    from vitrail.gan.editor import EditResult as EditResult
    from vitrail.gan.evaluation import EvaluationEnd as EvaluationEnd
    from vitrail.gan.evaluation import evaluate as evaluate
    from vitrail.gan.generator import Generator as Generator
    from vitrail.gan.generator import load as load
    from vitrail.gan.interpolation import Interpolation as Interpolation
    from vitrail.gan.networks import NetworkOptions as NetworkOptions
    from vitrail.gan.sweep import CellResult as CellResult
    from vitrail.gan.sweep import SweepCell as SweepCell
    from vitrail.gan.sweep import SweepResult as SweepResult
    from vitrail.gan.sweep import sweep as sweep
    from vitrail.gan.training import EvaluationOptions as EvaluationOptions
    from vitrail.gan.training import train as train
    from vitrail.gan.training_data import TrainingData as TrainingData
    from vitrail.gan.training_data import open_training_data as open_training_data
    from vitrail.gan.training_events import EpochEnd as EpochEnd
    from vitrail.gan.training_events import TrainingEnd as TrainingEnd
    from vitrail.gan.training_events import TrainingStart as TrainingStart
    from vitrail.gan_training.state import OptimizerOptions as OptimizerOptions
    from vitrail.gan_training.state import TrainingOptions as TrainingOptions

__all__ = [
    "CellResult",
    "EditResult",
    "EpochEnd",
    "EvaluationEnd",
    "EvaluationOptions",
    "Generator",
    "Interpolation",
    "NetworkOptions",
    "OptimizerOptions",
    "SweepCell",
    "SweepResult",
    "TrainingData",
    "TrainingEnd",
    "TrainingOptions",
    "TrainingStart",
    "evaluate",
    "load",
    "open_training_data",
    "sweep",
    "train",
]

lazy_names(
    __name__,
    {
        "CellResult": "vitrail.gan.sweep",
        "EditResult": "vitrail.gan.editor",
        "EpochEnd": "vitrail.gan.training_events",
        "EvaluationEnd": "vitrail.gan.evaluation",
        "EvaluationOptions": "vitrail.gan.training",
        "Generator": "vitrail.gan.generator",
        "Interpolation": "vitrail.gan.interpolation",
        "NetworkOptions": "vitrail.gan.networks",
        "OptimizerOptions": "vitrail.gan_training.state",
        "SweepCell": "vitrail.gan.sweep",
        "SweepResult": "vitrail.gan.sweep",
        "TrainingData": "vitrail.gan.training_data",
        "TrainingEnd": "vitrail.gan.training_events",
        "TrainingOptions": "vitrail.gan_training.state",
        "TrainingStart": "vitrail.gan.training_events",
        "evaluate": "vitrail.gan.evaluation",
        "load": "vitrail.gan.generator",
        "open_training_data": "vitrail.gan.training_data",
        "sweep": "vitrail.gan.sweep",
        "train": "vitrail.gan.training",
    },
)
