"""What a training yields besides progress, notes and checkpoints: plain values, which reports turn into plots."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from torch import nn

from vitrail.events import Checkpoint, Note, Progress
from vitrail.gan.training_data import TrainingData


@dataclass(frozen=True)
class TrainingStart:
    """The training is about to begin.

    Attributes:
        data: the images.
        description: of the networks, see `describe`.
        extractor: name of the network whose features the metrics are computed in.
        n: number of images of each evaluation while training.
        baselines: the metrics of `n` held-out real images.
        refused: metrics that cannot tell degraded real images from real ones, and are not to be shown.
    """

    data: TrainingData = field(repr=False)
    description: Mapping[str, Any]
    extractor: str
    n: int
    baselines: Mapping[str, float]
    refused: Sequence[str] = ()


@dataclass(frozen=True)
class EpochEnd:
    """An epoch has ended that is shown: every one, or in runs of 40 and more 20 to 40 of them.

    Attributes:
        epoch: number of completed epochs.
        step: number of completed training steps.
        values: means of the epoch's steps, and metrics if the epoch was evaluated.
        generator: the EMA of the generator, recalibrated, in evaluation mode.
    """

    epoch: int
    step: int
    values: Mapping[str, Any]
    generator: nn.Module = field(repr=False)


@dataclass(frozen=True)
class TrainingEnd:
    """The training has ended.

    Attributes:
        generator: the EMA of the generator at the best epoch, recalibrated, in evaluation mode.
        description: of the networks, with `data`, `epoch` and `seed`.
        history: the values of each epoch.
        metrics: each with `name`, `label`, `value`, `baseline`, `n` and `extractor`.
        values: everything else, as in `result.json`.
    """

    generator: nn.Module = field(repr=False)
    description: Mapping[str, Any]
    history: Sequence[Mapping[str, Any]] = field(repr=False)
    metrics: Sequence[Mapping[str, Any]]
    values: Mapping[str, Any] = field(repr=False)


TrainingEvent = Progress | Note | Checkpoint | TrainingStart | EpochEnd | TrainingEnd
