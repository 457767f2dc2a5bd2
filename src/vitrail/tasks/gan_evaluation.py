"""What generated images are worth: every figure beside its floor, what as many held-out real images get."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from vitrail.datasets.open_pixels import Opened
from vitrail.datasets.pixels import PixelSet, groups
from vitrail.events import Event
from vitrail.metrics.diversity import diversity
from vitrail.metrics.frechet import FrechetDistance
from vitrail.metrics.kernel import KernelDistance
from vitrail.metrics.prdc import NEAREST, prdc
from vitrail.metrics.sample_classifier import agreement
from vitrail.tasks.gan_inception import InceptionReader
from vitrail.tasks.gan_readers import JudgeReader, Reader, judge_of, judged
from vitrail.tensors import Condition

SHORT = {"frechet-distance": "FD", "kernel-distance": "KD"}
FID_COUNT = 50_000  # images; on fewer the distance is larger, and is not what others call so
SHARES = ("coverage", "distance-ratio", "unique-neighbours", "novelty")
"""Figures that tell of samples that repeat each other or training images, as shares of what real images get."""


@dataclass(frozen=True)
class Measured:
    """Figures of some images.

    Attributes:
        values: by name, as `frechet-distance`.
        floors: what held-out real images get.
        label_agreement: share of labels that the judge confirms; None without labels or judge.
        per_name: of each class or attribute.
        n: how many images.
    """

    values: dict[str, float]
    floors: dict[str, float]
    label_agreement: float | None
    per_name: dict[str, float]
    n: int

    @property
    def shares(self) -> dict[str, float]:
        """What `sample_alarms` looks at; there is no coverage where real images are too few for neighbours."""
        found = {name: self.values[name] / max(self.floors[name], 1e-12) for name in SHARES if name in self.values}
        return {name.replace("-", "_"): value for name, value in found.items()}


class Evaluation:
    """Compares generated images with real ones in the features of one network.

    Attributes:
        count: images on each side: as many as asked for, if there are so many.
        labels: (count,) or (count, A), what samples should be told: as frequent as among the training images.
    """

    def __init__(self, reader: Reader, train: PixelSet, held_out: PixelSet, *, count: int, seed: int) -> None:
        self.reader = reader
        self.count = min(count, len(train), len(held_out))
        draws = torch.Generator().manual_seed(seed)
        chosen = torch.randperm(len(train), generator=draws)
        learned = train.take(chosen[: max(self.count, reader.most)])
        kept = held_out.take(torch.randperm(len(held_out), generator=draws)[: self.count])
        self.labels: Condition = train.labels[torch.randint(len(train), (self.count,), generator=draws)]
        self._training = reader.features(learned.images)
        self._reference = self._training[: self.count]
        self._real = reader.features(kept.images), groups(kept.labels)
        self._frechet, self._kernel = FrechetDistance(self._reference), KernelDistance(self._reference)
        self.floors = self._figures(*self._real)

    @property
    def accuracy(self) -> float | None:
        """The judge's, on real images; None of a network that judges nothing."""
        return self.reader.accuracy if isinstance(self.reader, JudgeReader) else None

    def measure(self, pixels: Tensor, labels: Condition, *, conditional: bool) -> Measured:
        """The figures of `count` generated images.

        Args:
            labels: what they were told.
        """
        agrees, per_name = None, {}
        if isinstance(self.reader, JudgeReader):
            features, logits = self.reader.judge.look(pixels)
            if conditional:
                right = agreement(logits, labels).float()
                agrees, per_name = float(right.mean()), self._per_name(right, labels)
        else:
            features = self.reader.features(pixels)
        values = self._figures(features, groups(labels))
        return Measured(values, self.floors, agrees, per_name, self.count)

    def named(self, measured: Measured) -> list[dict[str, Any]]:
        """The figures as `result.json` has them: each says what it was measured with, and what real images get."""
        reader = self.reader
        short = {**SHORT, "frechet-distance": "FID"} if self._gives_fid() else SHORT
        where = f"[{reader.name}@{reader.weights_sha256[:8]}, {reader.dimension}, {measured.n}]"
        return [
            {
                "name": f"{short.get(name, name)}{where}",
                "metric": name,
                "value": value,
                "floor": measured.floors[name],
                "n": measured.n,
                "backbone": {"name": reader.name, "sha256": reader.weights_sha256},
            }
            for name, value in measured.values.items()
        ]

    def _gives_fid(self) -> bool:
        return isinstance(self.reader, InceptionReader) and self.count >= FID_COUNT

    def _figures(self, features: Tensor, labels: Tensor) -> dict[str, float]:
        found = {"frechet-distance": self._frechet(features), "kernel-distance": self._kernel(features)}
        if self.count > NEAREST:
            found |= vars(prdc(features, self._reference))
        varied = diversity((features, labels), self._real, self._training)
        return found | {name.replace("_", "-"): value for name, value in vars(varied).items()}

    def _per_name(self, right: Tensor, labels: Condition) -> dict[str, float]:
        assert isinstance(self.reader, JudgeReader)
        names = list(self.reader.per_name)
        if labels.ndim == 2:
            return dict(zip(names, right.mean(dim=0).tolist(), strict=True))
        each = {name: right[labels == index] for index, name in enumerate(names)}
        return {name: float(found.mean()) for name, found in each.items() if len(found)}


def taught(
    pixels: Tensor, labels: Condition, opened: Opened, *, seed: int, device: str
) -> Generator[Event, None, dict[str, Any]]:
    """GAN-train (Shmelkov et al., 2018): what a judge that has learned generated images alone says of real ones.

    Its floor is what the same judge says that has learned as many real images instead.
    """
    real = opened.train.take(slice(0, len(pixels)))
    accuracies = []
    for part, data in (("GAN-train", replace(real, images=pixels, labels=labels)), ("its floor", real)):
        judge, sha = yield from judge_of(data, seed=seed, device=device, cache=None, part=part)
        accuracies.append(judged(judge, sha, opened.held_out).accuracy)
    return {"accuracy": accuracies[0], "floor": accuracies[1], "n": len(pixels)}
