"""The engine of GAN training: losses, training steps, the moving average, checkpoints and alarms.

Images are in [-1, 1]. `LOSSES` is the table of losses; `train_steps` is the loop, which yields after each step.
"""

from typing import TYPE_CHECKING

from vitrail.registry import lazy_names

if TYPE_CHECKING:
    from vitrail.gan_training.alarms import Alarm as Alarm
    from vitrail.gan_training.alarms import sample_alarms as sample_alarms
    from vitrail.gan_training.alarms import training_alarms as training_alarms
    from vitrail.gan_training.autotune import autotune as autotune
    from vitrail.gan_training.ema import Ema as Ema
    from vitrail.gan_training.ema import recalibrate_batch_norm as recalibrate_batch_norm
    from vitrail.gan_training.interpolation import interpolate as interpolate
    from vitrail.gan_training.interpolation import slerp as slerp
    from vitrail.gan_training.losses import LOSSES as LOSSES
    from vitrail.gan_training.losses import Loss as Loss
    from vitrail.gan_training.sampler import ShuffledBatches as ShuffledBatches
    from vitrail.gan_training.sampling import generate_images as generate_images
    from vitrail.gan_training.sampling import latents_of as latents_of
    from vitrail.gan_training.state import GanState as GanState
    from vitrail.gan_training.state import OptimizerOptions as OptimizerOptions
    from vitrail.gan_training.state import TrainingOptions as TrainingOptions
    from vitrail.gan_training.steps import GanStep as GanStep
    from vitrail.gan_training.steps import train_steps as train_steps

__all__ = [
    "Alarm",
    "Ema",
    "GanState",
    "GanStep",
    "LOSSES",
    "Loss",
    "OptimizerOptions",
    "ShuffledBatches",
    "TrainingOptions",
    "autotune",
    "generate_images",
    "interpolate",
    "latents_of",
    "recalibrate_batch_norm",
    "sample_alarms",
    "slerp",
    "train_steps",
    "training_alarms",
]

_ROOM = "vitrail.gan_training"

lazy_names(
    __name__,
    {
        "LOSSES": f"{_ROOM}.losses",
        "Alarm": f"{_ROOM}.alarms",
        "Ema": f"{_ROOM}.ema",
        "GanState": f"{_ROOM}.state",
        "GanStep": f"{_ROOM}.steps",
        "Loss": f"{_ROOM}.losses",
        "OptimizerOptions": f"{_ROOM}.state",
        "ShuffledBatches": f"{_ROOM}.sampler",
        "TrainingOptions": f"{_ROOM}.state",
        "autotune": f"{_ROOM}.autotune",
        "generate_images": f"{_ROOM}.sampling",
        "interpolate": f"{_ROOM}.interpolation",
        "latents_of": f"{_ROOM}.sampling",
        "recalibrate_batch_norm": f"{_ROOM}.ema",
        "sample_alarms": f"{_ROOM}.alarms",
        "slerp": f"{_ROOM}.interpolation",
        "train_steps": f"{_ROOM}.steps",
        "training_alarms": f"{_ROOM}.alarms",
    },
)
