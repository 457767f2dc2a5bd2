"""Metrics of generated images, each beside its baseline: the same metric of equally many held-out real images."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor

from vitrail.datasets.pixels import PixelSet, groups
from vitrail.errors import BadSetting
from vitrail.events import Progress
from vitrail.metrics.arguments import FEWEST
from vitrail.metrics.certificate import ABBREVIATIONS, Certificate, Scale, certificate_images
from vitrail.metrics.feature_extractors import (
    ClassifierFeatures,
    FeatureExtractor,
    classifier_features,
    train_sample_classifier,
)
from vitrail.metrics.inception import InceptionFeatures
from vitrail.metrics.prdc import NEAREST
from vitrail.metrics.real_images import RealImages
from vitrail.metrics.sample_classifier import agreement
from vitrail.tensors import Condition
from vitrail.validation import LARGEST_SAMPLE_SEED, check_count, check_seed, describe

FID_COUNT = 50_000  # images; the distance grows with fewer, and is not comparable with published FIDs
PRDC = ("precision", "recall", "density", "coverage")
FEWEST_NEIGHBOURS = 50  # images on each side below which shares of nearest neighbours are chance
ALARM_METRICS = ("coverage", "distance-ratio", "unique-neighbours", "novelty")
"""Metrics whose ratio to the baseline shows repeated samples or copied training images."""


@dataclass(frozen=True)
class SampleMetrics:
    """Metrics of generated images.

    Attributes:
        values: by name, e.g. `frechet-distance`.
        baselines: the same metrics of held-out real images.
        label_agreement: fraction of labels that the judge confirms; None without labels or judge.
        per_name: label agreement of each class or attribute.
        n: number of images.
        scale: how far away they are, in what real images lose; None without a certificate that can tell.
        deviations: of the metrics that are means over subsets of the images.
        coverage_per_class: share of the real images of each class that have a sample near them; empty without classes,
            or where coverage cannot tell.
        refused: metrics that cannot tell, and raise no alarm either.
        near_copies: number of images that lie nearer to a real one than half of what real images usually do; None: they
            were not counted.
        near_copies_among: number of real images that they were compared with: with a pretrained network at most 2,000
            to train on, or as many as are measured.
    """

    values: dict[str, float]
    baselines: dict[str, float]
    label_agreement: float | None
    per_name: dict[str, float]
    n: int
    scale: Scale | None = None
    deviations: Mapping[str, float] = field(default_factory=dict)
    coverage_per_class: Mapping[str, float] = field(default_factory=dict)
    near_copies: int | None = None
    near_copies_among: int | None = None
    refused: tuple[str, ...] = ()

    @property
    def ratios(self) -> dict[str, float]:
        """Ratios to the baselines for `sample_alarms`; coverage is missing where there are too few real images."""
        ratios = {
            name: self.values[name] / max(self.baselines[name], 1e-12)
            for name in ALARM_METRICS
            if name in self.values and name not in self.refused
        }
        return {name.replace("-", "_"): value for name, value in ratios.items()}


class SampleEvaluation:
    """Compares generated images with real ones in the features of one network.

    Args:
        count: images on each side, at most as many as there are training and held-out images.
        seed: of the selection of real images and of the labels.
        certificate: of these images and this network; what it refuses is left out of `entries`.
        judge: confirms labels; by default the extractor, where that is one.
        by_class: whether the images' labels are those of what they show, so that two of a class are compared; else, as
            of a generator without condition, any two.

    Raises:
        BadSetting: fewer than 2 images on a side, sets of images of other sizes, or features that are not finite.

    Attributes:
        count: the number of images on each side.
        labels: (count,) or (count, A), conditions for the generated images: as frequent as among the training images.
        baselines: metrics of the held-out images.
    """

    def __init__(
        self,
        extractor: FeatureExtractor,
        train: PixelSet,
        held_out: PixelSet,
        *,
        count: int,
        seed: int,
        certificate: Certificate | None = None,
        judge: ClassifierFeatures | None = None,
        by_class: bool = True,
    ) -> None:
        check_count("count", count, least=FEWEST)
        check_seed("seed", seed, most=LARGEST_SAMPLE_SEED)
        if not isinstance(extractor, FeatureExtractor):
            raise BadSetting(f"extractor must be a FeatureExtractor; got {describe(extractor)}.")
        for name, data in (("train", train), ("held_out", held_out)):
            if not isinstance(data, PixelSet):
                raise BadSetting(f"{name} must be a PixelSet; got {describe(data)}.")
            if len(data) < FEWEST:
                raise BadSetting(f"{name} must have at least {FEWEST} images; got {len(data)}. Use more images.")
        if train.images.shape[1:] != held_out.images.shape[1:]:
            given = f"{describe(train.images)} and {describe(held_out.images)}"
            raise BadSetting(f"train and held_out must have images of one size; got {given}.")
        self._shape = torch.Size((min(count, len(train), len(held_out)), *train.images.shape[1:]))
        self.extractor = extractor
        self._names = train.names
        self.judge = extractor if isinstance(extractor, ClassifierFeatures) else judge
        self.count = min(count, len(train), len(held_out))
        draws = torch.Generator().manual_seed(seed)
        rows = torch.randperm(len(train), generator=draws)
        training = train.take(rows[: max(self.count, extractor.max_images)])
        real = held_out.take(torch.randperm(len(held_out), generator=draws)[: self.count])
        self.labels: Condition = train.labels[torch.randint(len(train), (self.count,), generator=draws)]
        features, self._certificate = extractor.features(training.images), certificate
        self._by_class = by_class
        held_out_features = extractor.features(real.images), self._groups(real.labels)
        self._real = RealImages(features[: self.count], features, held_out_features)
        classes = bool(train.names) and not train.has_attributes
        self._classes = (training.labels[: self.count], train.names) if classes else None
        self.baselines = self._real.measure(*held_out_features).values
        tried_on = certificate_images(extractor, train, held_out) if certificate is not None else None
        self._tried_on = None
        if tried_on is not None:
            reference = extractor.features(tried_on.reference)
            self._tried_on = RealImages(
                reference, reference, (reference, torch.zeros(len(reference), dtype=torch.long))
            )

    @property
    def accuracy(self) -> float | None:
        """Accuracy of the judge on real images; None without one."""
        return None if self.judge is None else self.judge.accuracy

    def measure(self, pixels: Tensor, labels: Condition, *, conditional: bool, detailed: bool = False) -> SampleMetrics:
        """Metrics of `count` generated images.

        Args:
            pixels: (count, C, S, S) uint8.
            labels: their conditions.
            conditional: whether they depend on the labels; otherwise there is no label agreement.
            detailed: whether copies are counted and coverage is given by class: a second look at the training images.

        Raises:
            BadSetting: another number or size of images, or another number of labels.
        """
        if not isinstance(pixels, Tensor) or pixels.dtype != torch.uint8 or pixels.shape != self._shape:
            raise BadSetting(f"pixels must be a tensor {tuple(self._shape)} of uint8; got {describe(pixels)}.")
        if not isinstance(labels, Tensor) or labels.ndim not in (1, 2) or len(labels) != self.count:
            raise BadSetting(f"labels must be one for each of {self.count} images; got {describe(labels)}.")
        label_agreement, per_name = None, {}
        features = self.extractor.features(pixels)
        if conditional and self.judge is not None and not self.judge.refusal():
            judged = features if self.judge is self.extractor else self.judge.features(pixels)
            logits = self.judge.classifier.logits(judged)
            correct = agreement(logits, labels).float()
            label_agreement, per_name = float(correct.mean()), self._per_name(correct, labels)
        found = self._real.measure(features, self._groups(labels))
        return SampleMetrics(
            found.values,
            self.baselines,
            label_agreement,
            per_name,
            self.count,
            scale=self._scale(features),
            deviations=found.deviations,
            refused=tuple(name for name in found.values if self._refusal(name)),
            coverage_per_class=self._coverage_per_class(features) if detailed else {},
            near_copies=self._real.near_copies(features) if detailed else None,
            near_copies_among=self._real.count if detailed else None,
        )

    def _groups(self, labels: Condition) -> Tensor:
        """Of images that are compared with each other, (n,)."""
        return groups(labels) if self._by_class else torch.zeros(len(labels), dtype=torch.long)

    def _coverage_per_class(self, features: Tensor) -> dict[str, float]:
        if self._classes is None or self.count <= NEAREST or self._refusal("coverage"):
            return {}
        labels, names = self._classes
        covered = self._real.covered(features).float()
        return {names[label]: float(covered[labels == label].mean()) for label in torch.unique(labels).tolist()}

    def _scale(self, features: Tensor) -> Scale | None:
        certificate, real = self._certificate, self._tried_on
        metric = next((name for name in ABBREVIATIONS if not self._refusal(name)), None)
        if certificate is None or real is None or metric is None or len(features) < certificate.n:
            return None
        return certificate.scale(real.distance(metric, features[: certificate.n]), metric=metric)

    def certificate_values(self) -> dict[str, Any]:
        """Keys of `result.json`: `certificate`, images of it, why there is none, and `refused`: metrics that failed."""
        certificate = self._certificate
        if certificate is None:
            return {}
        about = {"extractor": self.extractor.name}
        refused = [
            {"name": name, **about, "misses": certificate.misses(name), "reason": self._refusal(name)}
            for name in dict.fromkeys((*self.baselines, *PRDC))
            if self._refusal(name)
        ]
        return {
            "certificate": [{**entry, **about} for entry in certificate.entries()],
            "certificate_images": certificate.n,
            "uncertified": certificate.undefined,
            "refused": refused,
        }

    def _refusal(self, name: str) -> str:
        """Why a metric is not to be shown; empty: it is. Where there are too few images to try it, none is refused."""
        if name in PRDC and self.count < FEWEST_NEIGHBOURS:
            return f"fewer than {FEWEST_NEIGHBOURS} images on each side ({self.count})"
        certificate = self._certificate
        return certificate.refusal(name) if certificate is not None and not certificate.undefined else ""

    def entries(self, metrics: SampleMetrics) -> list[dict[str, Any]]:
        """The key `metrics` of `result.json`: every value with its baseline, count and feature extractor.

        Metrics that the certificate refuses are missing.
        """
        extractor = self.extractor
        identity = {
            "name": extractor.name,
            "sha256": extractor.weights_sha256,
            "dimension": extractor.dimension,
            "constant": self._real.constant,
        }
        abbreviations = {**ABBREVIATIONS, "frechet-distance": "FID"} if self._is_fid() else ABBREVIATIONS
        where = f"[{extractor.name}@{extractor.weights_sha256[:8]}, {extractor.dimension}, {metrics.n}]"
        return [
            {
                "name": name,
                "label": f"{abbreviations.get(name, name)}{where}",
                "value": value,
                "baseline": metrics.baselines[name],
                "n": metrics.n,
                "extractor": identity,
                **({"deviation": metrics.deviations[name]} if name in metrics.deviations else {}),
            }
            for name, value in metrics.values.items()
            if not self._refusal(name)
        ]

    def _is_fid(self) -> bool:
        return isinstance(self.extractor, InceptionFeatures) and self.count >= FID_COUNT

    def _per_name(self, correct: Tensor, labels: Condition) -> dict[str, float]:
        if labels.ndim == 2:
            return dict(zip(self._names, correct.mean(dim=0).tolist(), strict=True))
        each = {name: correct[labels == index] for index, name in enumerate(self._names)}
        return {name: float(values.mean()) for name, values in each.items() if len(values)}


def gan_train_score(
    pixels: Tensor, labels: Condition, train: PixelSet, held_out: PixelSet, *, seed: int, device: str
) -> Generator[Progress, None, dict[str, Any]]:
    """GAN-train score: accuracy on held-out real images of a classifier trained on generated images; yields progress.

    Shmelkov et al., 2018, https://arxiv.org/abs/1807.09499. The baseline is the accuracy of the same classifier trained
    on equally many real images.
    """
    draws = torch.Generator().manual_seed(seed)
    real = train.take(torch.randperm(len(train), generator=draws)[: len(pixels)])  # folders come class by class
    accuracies = []
    for stage, data in (("GAN-train", replace(real, images=pixels, labels=labels)), ("GAN-train baseline", real)):
        classifier, sha = yield from train_sample_classifier(data, seed=seed, device=device, cache=None, stage=stage)
        accuracies.append(classifier_features(classifier, sha, held_out).accuracy)
    return {"accuracy": accuracies[0], "baseline": accuracies[1], "n": len(pixels)}
