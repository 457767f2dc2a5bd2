"""Whether metrics can tell good images from bad ones in the features of a network: tried on real images made worse.

A small network that was taught a few labels of these very images can take ghosts for faces, since what it did not need
is not in its features. So each metric is first given held-out real images that were degraded in known ways, and is
shown only if it notices. The same degradations are a scale: "as far away as real images blurred with σ = 3 px".
"""

from __future__ import annotations

import math
from collections.abc import Generator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor

from vitrail.datasets.pixels import PixelSet
from vitrail.metrics.arguments import check_features
from vitrail.metrics.degradations import DEGRADATIONS, LEVELS
from vitrail.metrics.distances import METRICS
from vitrail.metrics.feature_extractors import ClassifierFeatures, FeatureExtractor
from vitrail.metrics.real_images import RealImages

MOST, FEWEST_CERTIFIED = 512, 32  # images of a set
MOST_PRETRAINED = 128  # where features take hundreds of times as long as a judge's
SPLITS = 5  # of the real images into two halves: how much a metric varies by itself
ROUNDING = 1e-6  # of the largest feature: what batches of other sizes change
SEED = 0
SLACK = 0.2  # of a metric's way from real images to the worst: so much better, a stronger degradation may look
REPEATS = (2, 4, 8, 16, 32)  # images of a set for each different one
COPIES = (0.2, 0.4, 0.6, 0.8, 1.0)  # share of a set that are training images

QUALITY = tuple(DEGRADATIONS)
SEES = {
    "precision": QUALITY,
    "density": QUALITY,
    "coverage": (*QUALITY, "repeats"),
    "recall": ("repeats",),
    "distance-ratio": ("repeats",),
    "unique-neighbours": ("repeats",),
    "novelty": ("copies",),
}
"""Metric -> what it has to see. Distances: everything but copies, which are real images."""
ABBREVIATIONS = {"frechet-distance": "FD", "kernel-distance": "KD"}
DIVERSITY = ("distance-ratio", "unique-neighbours", "novelty")  # say nothing of quality: noise is diverse


@dataclass(frozen=True)
class Finding:
    """How one metric answers to one way of making real images worse.

    Attributes:
        metric, degradation: their names.
        values: of the five levels, the weakest first.
        monotone: whether it worsens from level to level, but for what real images differ by among themselves.
        distinguished: number of levels that are worse than all real images, by more than those differ.
        passed: whether it is monotone and tells the strongest level; of a degradation that the metric is not meant
            to see: whether it does not take it for an improvement.
        reason: what is wrong; empty: nothing.
    """

    metric: str
    degradation: str
    values: tuple[float, ...]
    monotone: bool
    distinguished: int
    passed: bool
    reason: str


@dataclass(frozen=True)
class Certificate:
    """What metrics can tell in the features of one network, on the user's own images.

    Attributes:
        n: images of a set.
        size: side of the images.
        real: metric -> values of halves of the real images, one against the other.
        degraded: degradation -> metric -> values of its levels.
        undefined: why there is no certificate; empty: there is one.
    """

    n: int
    size: int
    real: Mapping[str, Sequence[float]]
    degraded: Mapping[str, Mapping[str, Sequence[float]]]
    undefined: str = ""

    def findings(self, metric: str) -> list[Finding]:
        """How a metric answers to each way of making real images worse."""
        return [
            _finding(metric, degradation, self.real[metric], values[metric])
            for degradation, values in self.degraded.items()
            if metric in values and metric in self.real
        ]

    def refusal(self, metric: str) -> str:
        """Why a metric is not to be shown; empty: it is."""
        if self.undefined:
            return f"undefined, because {self.undefined}"
        findings = self.findings(metric)
        if not findings:
            return "it was not tried on degraded real images"
        return "; ".join(finding.reason for finding in findings if not finding.passed)

    def entries(self) -> list[dict[str, Any]]:
        """The key `certificate` of `result.json`: every finding."""
        findings = [finding for metric in self.real for finding in self.findings(metric)]
        return [{**asdict(finding), "values": list(finding.values)} for finding in findings]

    def misses(self, metric: str) -> list[str]:
        """Degradations that a metric is refused for."""
        return [finding.degradation for finding in self.findings(metric) if not finding.passed]

    def scale(self, value: float, *, metric: str = "frechet-distance", degradation: str = "blur") -> Scale | None:
        """Which strength of a degradation real images need for a metric of this value; None where it cannot tell.

        Args:
            value: of `n` images against the reference of the certificate: distances depend on the number of images.
        """
        if self.undefined or math.isnan(value) or self.refusal(metric):
            return None
        way, sign = DEGRADATIONS[degradation], _worse(metric)
        strengths, heights = way.strengths(self.size), [sign * each for each in self.degraded[degradation][metric]]
        natural = max(sign * each for each in self.real[metric])
        measured = f" ({ABBREVIATIONS.get(metric, metric)}, {self.n} images)"
        if sign * value <= natural:
            return Scale(metric, self.n, value, degradation, None, f"no further away than real images are{measured}", 0)
        if sign * value > max(heights):
            text = f"further away than real images {way.describe(strengths[-1])}{measured}"
            return Scale(metric, self.n, value, degradation, strengths[-1], text, 1 + len(strengths))
        after = next(place for place, height in enumerate(heights) if height >= sign * value)
        if after == 0:
            strength = strengths[0]
        else:
            low, high = max(heights[after - 1], natural), heights[after]
            share = max(0.0, (sign * value - low) / (high - low)) if high > low else 1.0
            strength = strengths[after - 1] + share * (strengths[after] - strengths[after - 1])
        text = f"as far away as real images {way.describe(strength)}{measured}"
        return Scale(
            metric, self.n, value, degradation, strength, text, sum(height <= sign * value for height in heights)
        )


@dataclass(frozen=True)
class Scale:
    """How far generated images are from real ones, in what real images lose.

    Attributes:
        metric, n, value: the metric, of so many images.
        degradation: of real images.
        level: its strength, in its unit; the strongest that was tried where they are further away; None: they are no
            further away than real images are.
        text: in words.
        reached: how many of the strengths that were tried it reaches, 0 to 5; 6: it is further away than all of them.
    """

    metric: str
    n: int
    value: float
    degradation: str
    level: float | None
    text: str
    reached: int


@dataclass(frozen=True)
class CertificateImages:
    """8-bit images (n, C, S, S) of a certificate: training images as the reference, and as many held-out ones."""

    reference: Tensor
    held_out: Tensor


def certificate_images(extractor: FeatureExtractor, train: PixelSet, held_out: PixelSet) -> CertificateImages | None:
    """Always the same of these sets and this network; None where there are too few."""
    most = MOST if isinstance(extractor, ClassifierFeatures) else MOST_PRETRAINED
    n = min(most, len(held_out), len(train))
    if n < FEWEST_CERTIFIED:
        return None
    draws = torch.Generator().manual_seed(SEED)
    chosen = (each.images[torch.randperm(len(each), generator=draws)[:n]] for each in (train, held_out))
    return CertificateImages(*chosen)


def certify(extractor: FeatureExtractor, train: PixelSet, held_out: PixelSet) -> Generator[float, None, Certificate]:
    """Tries every metric on degraded held-out images; yields the completed fraction.

    Labels are not used: samples of one class can stand for all.
    """
    images, size = certificate_images(extractor, train, held_out), train.size
    if images is None:
        few = f"{len(train)} training and {len(held_out)} held-out images are too few to try metrics on"
        return Certificate(0, size, {}, {}, f"{few} ({FEWEST_CERTIFIED} of each are needed)")
    n = len(images.held_out)
    rows, one_class = torch.arange(n), torch.zeros(n, dtype=torch.long)
    reference, clean = extractor.features(images.reference), extractor.features(images.held_out)
    check_features("features", reference)
    if reference.std(dim=0).max() <= ROUNDING * reference.abs().max():
        return Certificate(n, size, {}, {}, "the features of all real images are equal")
    real = RealImages(reference, reference, (clean, one_class))
    natural = [real.measure(clean, one_class).values]
    draws, both = torch.Generator().manual_seed(SEED), torch.cat([reference, clean])
    for _ in range(SPLITS - 1):
        one, other = torch.split(both[torch.randperm(2 * n, generator=draws)], n)
        natural.append(RealImages(one, one, (other, one_class)).measure(other, one_class).values)
    degraded: dict[str, list[Mapping[str, float]]] = {}
    done = 2
    for name, way in DEGRADATIONS.items():
        degraded[name] = []
        for strength in way.strengths(size):
            features = extractor.features(way.apply(images.held_out, strength))
            degraded[name].append(real.measure(features, one_class).values)
            done += 1
            yield done / (2 + LEVELS * len(DEGRADATIONS))
    degraded["repeats"] = [real.measure(clean[rows % max(1, n // times)], one_class).values for times in REPEATS]
    copied = [torch.where((rows < share * n)[:, None], reference, clean) for share in COPIES]
    degraded["copies"] = [real.measure(features, one_class).values for features in copied]
    return Certificate(n, size, _by_metric(natural), {name: _by_metric(sets) for name, sets in degraded.items()})


def _by_metric(sets: Sequence[Mapping[str, float]]) -> dict[str, list[float]]:
    common = [metric for metric in sets[0] if all(metric in values for values in sets)]
    return {metric: [values[metric] for values in sets] for metric in common}


def _worse(metric: str) -> int:
    """1 where larger is worse, -1 where smaller is."""
    return -1 if metric in SEES or getattr(METRICS[metric], "higher_is_better", False) else 1


def _finding(metric: str, degradation: str, real: Sequence[float], values: Sequence[float]) -> Finding:
    sign = _worse(metric)
    heights, natural = [sign * value for value in values], [sign * value for value in real]
    spread, worst = max(natural) - min(natural), max(natural)
    slack = spread + SLACK * (max(*heights, worst) - worst)
    steps = zip([worst - spread, *heights], heights, strict=False)
    monotone = all(after >= before - slack for before, after in steps)
    distinguished = sum(height > worst + spread for height in heights)
    reason = ""
    if degradation in SEES.get(metric, (*QUALITY, "repeats")):
        if not heights[-1] > worst + spread:
            reason = f"the strongest {degradation} of real images passes for real images"
        elif not monotone:
            reason = f"it does not worsen steadily with {degradation} of real images"
    elif degradation in QUALITY and metric not in DIVERSITY and min(heights) < min(natural) - slack:
        reason = f"{degradation} of real images is taken for an improvement"
    return Finding(metric, degradation, tuple(values), monotone, distinguished, not reason, reason)
