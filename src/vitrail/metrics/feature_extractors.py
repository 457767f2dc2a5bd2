"""Networks in whose features generated images are compared with real ones."""

from __future__ import annotations

import math
from collections.abc import Generator
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import torch
import torch.nn.functional as F
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from vitrail import files
from vitrail.backbones.network import Network
from vitrail.datasets.pixels import PixelSet
from vitrail.events import Progress
from vitrail.formatting import count, percent
from vitrail.images import to_rgb, to_unit
from vitrail.metrics.sample_classifier import SampleClassifier, agreement, train_classifier
from vitrail.reading import LIMITS, read_bytes

RECIPE = 4  # of the training, part of the cache key: raised when it changes, so that cached classifiers are not used
ROWS = 32  # images per forward pass
SMALL_SIDE = 128  # pixels


@runtime_checkable
class FeatureExtractor(Protocol):
    """A network and its features.

    Attributes:
        name, weights_sha256: identity in reports.
        dimension: number of features.
        max_images: number of training images that it can process in a reasonable time.
    """

    @property
    def name(self) -> str:
        """See above."""

    @property
    def weights_sha256(self) -> str:
        """See above."""

    @property
    def dimension(self) -> int:
        """See above."""

    @property
    def max_images(self) -> int:
        """See above."""

    def features(self, pixels: Tensor) -> Tensor:
        """Features (N, dimension) of 8-bit images (N, C, S, S), on the CPU."""
        ...


@dataclass
class ClassifierFeatures:
    """A `SampleClassifier` of the real images: a `FeatureExtractor` that also judges labels.

    Attributes:
        accuracy: on `n` held-out images; of attributes, their mean.
        per_name: accuracy of each class or attribute.
        majority: the accuracy of always naming the most frequent class; of attributes, their mean.
    """

    classifier: SampleClassifier
    weights_sha256: str
    accuracy: float
    per_name: dict[str, float]
    n: int
    name: str = "judge"
    dimension: int = SampleClassifier.dimension
    max_images: int = 60_000
    majority: float = 0.0

    def features(self, pixels: Tensor) -> Tensor:
        """See `FeatureExtractor`."""
        return self.classifier.features_and_logits(pixels)[0]

    def refusal(self) -> str:
        """Why label agreement with this judge means nothing; empty: it means something."""
        if self.accuracy - 2 * math.sqrt(self.accuracy * (1 - self.accuracy) / self.n) > self.majority:
            return ""
        return (
            f"the judge is right on {percent(self.accuracy)} of {count(self.n, 'held-out image')}, and always naming "
            f"the most frequent class on {percent(self.majority)}"
        )

    def values(self) -> dict[str, Any]:
        """The key `judge` of `result.json`."""
        return {
            "accuracy": self.accuracy,
            "majority": self.majority,
            "n": self.n,
            "sha256": self.weights_sha256,
            "per_name": self.per_name,
        }


@dataclass
class BackboneFeatures:
    """A pretrained network as a `FeatureExtractor`: its last feature layer.

    Images are resized to the network's input size, smaller ones to `SMALL_SIDE` pixels: a third of the time, and what
    the certificate asks is told as well.
    """

    network: Network
    max_images: int = 2_000

    @cached_property
    def name(self) -> str:
        """Name of the network."""
        return self.network.name

    @cached_property
    def weights_sha256(self) -> str:
        """SHA-256 of its weights."""
        return str(self.network.identity["sha256"])

    @cached_property
    def dimension(self) -> int:
        """Number of features."""
        return self.features(torch.zeros(1, 1, 8, 8, dtype=torch.uint8)).shape[1]

    @torch.no_grad()
    def features(self, pixels: Tensor) -> Tensor:
        """See `FeatureExtractor`."""
        backbone, layer = self.network.fast, self.network.reference.feature_layers[-1]
        size, features = min(self.network.reference.size, max(SMALL_SIDE, pixels.shape[-1])), []
        for part in torch.split(pixels, ROWS):
            images = to_unit(to_rgb(part)).to(backbone.mean.device)
            images = F.interpolate(images, size=(size, size), mode="bilinear", antialias=True)
            features.append(backbone.features(images, (layer,))[layer].cpu())
        return torch.cat(features)


def classifier_features(classifier: SampleClassifier, sha: str, held_out: PixelSet) -> ClassifierFeatures:
    """The classifier with its accuracy on held-out images."""
    _, logits = classifier.features_and_logits(held_out.images)
    correct = agreement(logits, held_out.labels).float()
    if held_out.has_attributes:
        each = correct.mean(dim=0).tolist()
    else:
        each = [float(correct[held_out.labels == label].mean()) for label in range(len(held_out.names))]
    per_name = {name: value for name, value in zip(held_out.names, each, strict=True) if value == value}
    if held_out.has_attributes:
        having = (held_out.labels > 0).float().mean(dim=0)
        majority = float(torch.maximum(having, 1 - having).mean())
    else:
        majority = float(torch.bincount(held_out.labels).max()) / len(held_out)
    return ClassifierFeatures(classifier, sha, float(correct.mean()), per_name, len(held_out), majority=majority)


def train_sample_classifier(
    train: PixelSet, *, seed: int, device: str, cache: Path | None, stage: str = "judge"
) -> Generator[Progress, None, tuple[SampleClassifier, str]]:
    """A classifier of `train`, trained or from the cache, and the SHA-256 of its weights; yields progress.

    Args:
        cache: folder of trained classifiers; None: train it in any case.
        stage: name of the progress.
    """
    file = None
    if cache is not None:
        key = sha256(f"{RECIPE} {train.sha256} {seed}".encode()).hexdigest()[:32]
        file = cache / f"{key}.safetensors"
    data = _cached(file)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        classifier = SampleClassifier(size=train.size, channels=train.channels, names=len(train.names)).to(device)
        if data is None:
            percent = 0
            for fraction in train_classifier(classifier, train.images, train.labels, seed=seed):
                if int(100 * fraction) > percent:
                    percent = int(100 * fraction)
                    yield Progress(stage, percent, 100, unit="%")
            data = save({name: value.cpu().contiguous() for name, value in classifier.state_dict().items()})
            if file is not None:
                files.write_bytes(file, data, within=file.parent)
        # A new network in either case: training leaves the weights in another memory layout, which rounds differently.
        classifier = SampleClassifier(size=train.size, channels=train.channels, names=len(train.names)).to(device)
    classifier.load_state_dict(load(data))
    return classifier.eval(), sha256(data).hexdigest()


def _cached(file: Path | None) -> bytes | None:
    """The content of a cached weights file; None: there is none, or it is damaged."""
    if file is None or not file.is_file():
        return None
    try:
        data = read_bytes(file, LIMITS["cached"], within=file.parent)
        load(data)
    except (OSError, SafetensorError):
        return None
    return data
