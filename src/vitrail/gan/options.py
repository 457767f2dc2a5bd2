"""Options of a training from its settings: those that are set, and for the others what suits the architecture."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from vitrail.datasets.pixel_data import PixelOptions
from vitrail.gan.description import takes_backbone
from vitrail.gan.networks import NetworkOptions
from vitrail.gan.training_data import default_size
from vitrail.gan_training.state import OptimizerOptions, TrainingOptions

PLAIN = ("loss", "gradient_penalty", "mismatched_labels", "diffaugment", "label_smoothing", "ema_decay")


def pixel_options(settings: Mapping[str, Any]) -> PixelOptions:
    """How images are opened, from settings of `vitrail gan train` by name."""
    return PixelOptions(
        size=settings["size"] or default_size(settings["data"]),
        labels=settings["labels"],
        attributes=settings["attributes"],
        images=settings["max_images"],
        held_out=settings["held_out"],
        seed=settings["seed"],
        home=settings["cache"] / "datasets",
        download=settings["download"],
    )


def network_options(settings: Mapping[str, Any]) -> NetworkOptions:
    """Architecture and condition, from the same settings."""
    names = ("architecture", "conditional", "discriminator_sees_label", "latent_size", "width")
    return NetworkOptions(**{name: settings[name] for name in names}, backbone=settings["discriminator_backbone"])


def default_options(architecture: str) -> TrainingOptions:
    """The training options that suit an architecture; each may be replaced."""
    if not takes_backbone(architecture):
        return TrainingOptions()
    # Sauer et al., 2021, appendix, but at four times the learning rate, which is better after the same time (see
    # benchmarks/README.md). No mismatched labels: they cost another pass, and projection tells labels apart.
    adam = OptimizerOptions(learning_rate=8e-4, beta1=0.0, beta2=0.99)
    return TrainingOptions(loss="hinge", generator=adam, discriminator=adam, diffaugment=True, mismatched_labels=False)


def training_options(architecture: str, settings: Mapping[str, Any]) -> TrainingOptions:
    """Loss, optimisers, EMA and augmentation.

    Args:
        settings: those of `vitrail gan train`, by name; None: what suits the architecture.
    Raises:
        BadSetting, UnknownName: as `TrainingOptions`.
    """
    default = default_options(architecture)
    return replace(
        default,
        **{name: settings[name] for name in PLAIN if settings[name] is not None},
        generator=_optimizer(default.generator, settings, "generator", settings["g_steps"]),
        discriminator=_optimizer(default.discriminator, settings, "discriminator", settings["d_steps"]),
        bfloat16=settings["precision"] == "bfloat16",
    )


def _optimizer(default: OptimizerOptions, settings: Mapping[str, Any], network: str, updates: int) -> OptimizerOptions:
    """A network's own setting, that of both networks, or the default: whichever is set first."""
    rates = (settings[f"{network}_learning_rate"], settings["learning_rate"], default.learning_rate)
    betas = (settings[f"{network}_beta1"], settings["beta1"], default.beta1)
    rate, beta1 = (next(value for value in each if value is not None) for each in (rates, betas))
    return OptimizerOptions(updates, rate, beta1, default.beta2 if settings["beta2"] is None else settings["beta2"])
