"""Fine-tuning of the deep layers of a pretrained network, together with a new last layer.

The last layer starts from a linear classifier fitted to the frozen features, so that its large initial errors do not
distort them (Kumar et al., 2022, https://arxiv.org/abs/2202.10054). The frozen layers below run forward only, on an
inference engine. Batch norm statistics stay those of pretraining: some hundred images would give worse ones. The
result is the running average (EMA) of the weights.
"""

from __future__ import annotations

import copy
import time
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Literal

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from vitrail.backbones.backbone import Backbone
from vitrail.backbones.forward_pass import Trunk
from vitrail.backbones.inference_engine import Engine, choose_engine
from vitrail.devices import choose_device, cpu_count
from vitrail.errors import BadSetting
from vitrail.events import Progress
from vitrail.preprocessing import Preprocessing
from vitrail.transfer.augmentation import random_resized_crop
from vitrail.transfer.classifier import linear_layer
from vitrail.transfer.head import LinearHead

TrainedLayers = Literal["deep", "all"]

MICRO_BATCH = 8  # images per forward and backward pass on a CPU
WARM_UP = 0.1  # share of the steps in which the learning rate rises
PREFETCH = 3  # batches that are decoded in advance
AGREEMENT = 1e-3  # largest difference of features of the cut and the whole network, relative to the largest feature


@dataclass(frozen=True)
class FineTuned:
    """A fine-tuned network and its last layer.

    Attributes:
        backbone: a copy of the given network with the trained weights.
        curve: `epoch`, mean `loss` over its batches, and `seconds`.
    """

    backbone: Backbone
    head: LinearHead
    curve: list[dict[str, float]] = field(repr=False)


@dataclass(frozen=True)
class FineTuning:
    """Options of fine-tuning, and the training loop.

    Args:
        layers: "deep": those after the network's first feature layer; "all": all.
        batch: number of images per step.
        learning_rate: maximum of AdamW's; rises over the first tenth of the steps, then falls as a cosine.
        decay: weight decay, of matrices and kernels only.
        label_smoothing: of the cross-entropy.
        ema_steps: steps over which weights are averaged (EMA).
        engine: inference engine of the frozen layers; see `vitrail.backbones.inference_engine`.
    """

    layers: TrainedLayers = "deep"
    epochs: int = 8
    batch: int = 32
    learning_rate: float = 1e-4
    decay: float = 0.02
    label_smoothing: float = 0.1
    ema_steps: int = 100
    engine: Engine = "auto"
    device: str = "auto"
    seed: int = 0

    def run(
        self, backbone: Backbone, layer: str, head: LinearHead, data: tuple[Sequence[Path], np.ndarray]
    ) -> Generator[Progress, None, FineTuned]:
        """Yields progress and returns the fine-tuned network; `backbone` is not changed.

        Args:
            layer: the layer whose unscaled features are the input of `head`.
            head: initial last layer.
            data: readable files, and the class (n,) of each.
        Raises:
            BadSetting: the network cannot be cut at its first feature layer, or there is nothing to train between it
                and `layer`.
        """
        device = choose_device(self.device)
        student = copy.deepcopy(backbone).to(device).to(memory_format=torch.channels_last)
        last = linear_layer(head).to(device)
        features, deep = self._split(student, layer, data[0][0])
        trained = [*deep, *last.parameters()]
        weights = nn.ParameterList(trained)
        average = AveragedModel(weights, avg_fn=_running_mean(self.ema_steps))
        optimiser = torch.optim.AdamW(self._groups(trained), lr=self.learning_rate)
        steps = self.epochs * -(-len(data[0]) // self.batch)
        # The schedule divides by the steps of its first phase less one.
        rising = WARM_UP if WARM_UP * steps != 1 else 1.5 / steps
        schedule = torch.optim.lr_scheduler.OneCycleLR(
            optimiser, self.learning_rate, total_steps=steps, pct_start=rising
        )
        curve, started = [], time.perf_counter()
        for epoch in range(self.epochs):
            losses: list[float] = []
            for pixels, labels in self._batches(backbone.preprocessing, data, epoch):
                optimiser.zero_grad()
                losses.append(self._backward(lambda micro: last(features(micro)), pixels, labels))
                optimiser.step()
                schedule.step()
                average.update_parameters(weights)
                done = epoch * len(data[0]) + min(len(losses) * self.batch, len(data[0]))
                yield Progress("fine-tuning", done, self.epochs * len(data[0]), detail=f"loss {losses[-1]:.3f}")
            seconds = time.perf_counter() - started
            curve.append({"epoch": epoch + 1, "loss": float(np.mean(losses)), "seconds": seconds})
        with torch.no_grad():
            for parameter, mean in zip(trained, average.module.parameters(), strict=True):
                parameter.copy_(mean)
        student.to("cpu").requires_grad_(False).to(memory_format=torch.contiguous_format)
        return FineTuned(Backbone(student.network, backbone.description), _head(last), curve)

    @property
    def _micro_batch(self) -> int:
        """Number of images per forward and backward pass."""
        return min(MICRO_BATCH, self.batch) if choose_device(self.device) == "cpu" else self.batch

    def _backward(self, network: Callable[[Tensor], Tensor], pixels: Tensor, labels: np.ndarray) -> float:
        """Accumulates the gradient of a batch's mean loss over micro-batches, and returns the loss.

        With frozen batch norm statistics images of a batch are independent; a micro-batch fits the CPU's caches.
        """
        total = 0.0
        targets = torch.from_numpy(labels)
        micro_batches = (torch.split(tensor, self._micro_batch) for tensor in (pixels, targets))
        for part, classes in zip(*micro_batches, strict=True):
            logits = network(part)
            summed = F.cross_entropy(
                logits, classes.to(logits.device), label_smoothing=self.label_smoothing, reduction="sum"
            )
            (summed / len(labels)).backward()  # type: ignore[no-untyped-call]
            total += float(summed.detach())
        return total / len(labels)

    def _split(
        self, student: Backbone, layer: str, example: Path
    ) -> tuple[Callable[[Tensor], Tensor], list[nn.Parameter]]:
        """A function from pixels (N, 3, S, S) uint8 to features (N, D), and the weights to train in it.

        The frozen layers below the cut run on the fastest inference engine.
        """
        device = student.mean.device
        if self.layers == "all":
            parameters = list(student.requires_grad_(True).parameters())
            return lambda pixels: student.features(_images(pixels, device), (layer,))[layer], parameters
        cut = student.feature_layers[0]
        rng = np.random.default_rng(0)
        pixels = torch.stack([random_resized_crop(example, student.preprocessing, rng)] * self._micro_batch)
        trunk = choose_engine(Trunk(student, cut), pixels.numpy(), engine=self.engine, device=str(device), images=10**6)

        def features(pixels: Tensor) -> Tensor:
            (activation,) = trunk(pixels.numpy())
            lower = torch.from_numpy(activation).to(device, memory_format=_layout(activation.ndim))
            return student.tail(lower, cut, (layer,))[layer]

        self._check_cut(student, layer, features(pixels), _images(pixels, device))
        return features, _parameters_between(
            student, lambda: features(pixels), f"{cut!r} and {layer!r} of {student.name!r}"
        )

    def _check_cut(self, student: Backbone, layer: str, features: Tensor, images: Tensor) -> None:
        """Raises `BadSetting` if a connection bypasses the cut: the cut network then gives other features."""
        with torch.no_grad():
            whole = student.features(images, (layer,))[layer]
        if float((features - whole).abs().max()) > AGREEMENT * float(whole.abs().max()):
            raise BadSetting(
                f"The network {student.name!r} cannot be cut at its layer {student.feature_layers[0]!r}. "
                "Use --train-layers all."
            )

    def _groups(self, parameters: Sequence[nn.Parameter]) -> list[dict[str, object]]:
        """Parameter groups: weight decay for matrices and kernels, none for biases and normalisation layers."""
        return [
            {"params": [p for p in parameters if p.ndim > 1], "weight_decay": self.decay},
            {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
        ]

    def _batches(
        self, preprocessing: Preprocessing, data: tuple[Sequence[Path], np.ndarray], epoch: int
    ) -> Iterator[tuple[Tensor, np.ndarray]]:
        """Random crops of all images in a new order, and their labels; decoded in advance by threads.

        A crop depends on the seed, the epoch and the image's index alone, not on the threads.
        """
        files, labels = data
        order = np.random.default_rng((self.seed, epoch)).permutation(len(files))

        def crop(index: int) -> Tensor:
            return random_resized_crop(files[index], preprocessing, np.random.default_rng((self.seed, epoch, index)))

        with ThreadPoolExecutor(cpu_count()) as pool:
            batches = [order[start : start + self.batch] for start in range(0, len(order), self.batch)]
            waiting: deque[list[Future[Tensor]]] = deque()
            todo = iter(batches)
            for rows in batches:
                ahead = islice(todo, PREFETCH - len(waiting))
                waiting.extend([pool.submit(crop, int(index)) for index in batch] for batch in ahead)
                yield torch.stack([future.result() for future in waiting.popleft()]), labels[rows]


def _running_mean(steps: int) -> Callable[[Tensor, Tensor, Tensor | int], Tensor]:
    """The `avg_fn` of torch's `AveragedModel`: an arithmetic mean at first, exponential (EMA) from `steps` steps on."""
    return lambda mean, weights, averaged: torch.lerp(mean, weights, 1 / min(int(averaged) + 1, steps))


def _parameters_between(student: Backbone, features: Callable[[], Tensor], between: str) -> list[nn.Parameter]:
    """The weights that the features depend on; all others are frozen.

    Raises:
        BadSetting: there are none.
    """
    student.requires_grad_(True)
    parameters, output = list(student.parameters()), features()
    if not output.requires_grad:
        raise BadSetting(
            f"There is nothing to train between the layers {between}. Use a deeper layer, or --train-layers all."
        )
    gradients = torch.autograd.grad(output.sum(), parameters, allow_unused=True)
    student.requires_grad_(False)
    trained = [parameter for parameter, gradient in zip(parameters, gradients, strict=True) if gradient is not None]
    for parameter in trained:
        parameter.requires_grad_(True)
    return trained


def _images(pixels: Tensor, device: torch.device) -> Tensor:
    return pixels.to(device, memory_format=torch.channels_last).float() / 255


def _layout(dimensions: int) -> torch.memory_format:
    return torch.channels_last if dimensions == 4 else torch.contiguous_format


def _head(linear: nn.Linear) -> LinearHead:
    return LinearHead(linear.weight.detach().cpu().numpy(), linear.bias.detach().cpu().numpy(), 1.0)
