"""The players and rules that settings and images ask for; and players again from what was kept of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import torch

from vitrail.datasets.pixels import PixelSet
from vitrail.errors import BadSetting
from vitrail.gan_architectures import GANS
from vitrail.gan_architectures.pair import GanPair
from vitrail.gan_training.autotune import Batch, autotune
from vitrail.gan_training.losses import LOSSES
from vitrail.gan_training.state import GanState, OptimizerOptions, TrainingOptions

if TYPE_CHECKING:
    from vitrail.tasks.gan_train import GanTrain

WIDTHS = {"conditional-mlp": 256, "residual": 32}  # of the others: 32, and 64 for images of 64 pixels and more

WAYS = ("channels_last", "fused", "joined")  # of `Rules`: the same numbers, but for rounding
REFERENCE: dict[str, Any] = {"way": "plain", "why": "asked for", **dict.fromkeys(WAYS, False)}


def size_of(task: GanTrain) -> int:
    """Side of the images in pixels."""
    return task.size or (16 if task.data == "digits" else 32)


def described(task: GanTrain, train: PixelSet) -> dict[str, Any]:
    """What the players are: the arguments that make them, and what they are told; JSON values.

    Raises:
        BadSetting: labels are asked for where there are none, or of an architecture that takes none.
    """
    named = bool(train.names) and task.architecture != "dcgan"
    if task.conditional == "yes" and not named:
        why = "the dcgan takes none" if train.names else "these images have none"
        raise BadSetting(f"A conditional generator needs labels, and {why}; --conditional no would work.")
    told = len(train.names) if named and task.conditional != "no" else 0
    chosen = task.architecture if task.architecture != "auto" else ("conditional-dcgan" if told else "dcgan")
    GANS.check(chosen)
    if chosen.startswith("conditional") and not told:
        raise BadSetting(f"{chosen} needs labels, and there are none to tell; dcgan would work.")
    size = size_of(task)
    return {
        "architecture": chosen,
        "arguments": {
            "size": size,
            "channels": train.channels,
            "latent_size": task.latent_size,
            "generator_classes": told,
            "discriminator_classes": told if task.discriminator_sees_label == "yes" else 0,
            "width": task.width or WIDTHS.get(chosen, 64 if size >= 64 else 32),
        },
        "names": list(train.names) if told else [],
        "attributes": bool(told) and train.has_attributes,
        "told": _frequencies(train) if told else [],
    }


def made(about: Mapping[str, Any], *, seed: int = 0) -> GanPair:
    """The players, their weights drawn by `seed`."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        pair: GanPair = GANS[about["architecture"]](**about["arguments"])
    return pair


def begun(
    task: GanTrain, about: Mapping[str, Any], batch: Batch, choices: dict[str, Any] | None
) -> tuple[GanState, dict[str, Any]]:
    """A new game on the batch's device, played in the way that was chosen before or is quickest here; and that choice.

    Args:
        batch: as this process will get them.
    """
    pair, options = made(about, seed=task.seed), training_options(task, about)
    pair.generator.to(batch[0].device)
    pair.discriminator.to(batch[0].device)
    if choices is None and task.speed == "auto":
        choice = autotune(pair, options, batch)
        choices = {"way": choice.way, "why": "quickest of those timed here", "times_as_quick": choice.ratios}
        choices |= {name: getattr(choice.options, name) for name in WAYS}
    choices = choices or REFERENCE
    options = replace(options, **{name: choices[name] for name in WAYS})
    return GanState(pair.generator, pair.discriminator, options, seed=task.seed), choices


def training_options(task: GanTrain, about: Mapping[str, Any]) -> TrainingOptions:
    """How the game is played."""
    discriminator, generator = task.turns
    sees = about["arguments"]["discriminator_classes"] > 0
    if task.mismatched == "yes" and not sees:
        raise BadSetting("--mismatched shows the discriminator wrong labels, and it is told none here.")
    fits = sees and not LOSSES[task.loss].relativistic
    return TrainingOptions(
        loss=task.loss,
        generator=OptimizerOptions(
            generator,
            task.generator_rate or task.rate,
            task.beta1 if task.generator_beta1 is None else task.generator_beta1,
            task.beta2,
        ),
        discriminator=OptimizerOptions(
            discriminator,
            task.discriminator_rate or task.rate,
            task.beta1 if task.discriminator_beta1 is None else task.discriminator_beta1,
            task.beta2,
        ),
        smoothing=task.smoothing,
        penalty=task.penalty,
        mismatched=fits if task.mismatched == "auto" else task.mismatched == "yes",
        augment=task.augment,
        decay=task.average,
        bfloat16=task.precision == "bfloat16",
    )


def told_labels(about: Mapping[str, Any]) -> torch.Tensor:
    """One row for each image that the generator learned from, as often as there were such; zeros if it is told none.

    (N,) classes or (N, A) attributes.
    """
    if not about["told"]:
        return torch.zeros(1, dtype=torch.long)
    rows = torch.tensor([row for row, _ in about["told"]])
    counts = torch.tensor([count for _, count in about["told"]])
    return rows.float().repeat_interleave(counts, dim=0) if about["attributes"] else rows.repeat_interleave(counts)


def combination(values: Sequence[float], names: Sequence[str]) -> str:
    """`+Male -Young`, as a row is called."""
    return " ".join(f"{'+' if value > 0 else '−'}{name}" for value, name in zip(values, names, strict=True))


def _frequencies(train: PixelSet) -> list[list[Any]]:
    rows, counts = torch.unique(train.labels, dim=0, return_counts=True)
    return [[row, count] for row, count in zip(rows.long().tolist(), counts.tolist(), strict=True)]
