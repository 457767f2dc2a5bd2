"""Bad features, probabilities, maps and epsilons; see `of_networks`."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from attempts import Attempt, report
from torch import nn

from vitrail import attacks, attributions, metrics
from vitrail.attacks.similarity import structural_similarity
from vitrail.attributions.integrated_gradients import completeness_error
from vitrail.attributions.segment import segment
from vitrail.attributions.verdict import random_baseline, verdicts
from vitrail.backbones.backbone import Backbone

NAN, INF = float("nan"), float("inf")
draws = torch.Generator().manual_seed(0)
good, labels = torch.randn(20, 4, generator=draws), torch.arange(20) % 2
FEATURES: dict[str, Any] = {
    "one row": good[:1],
    "no row": good[:0],
    "no feature": good[:, :0],
    "one axis": good[:, 0],
    "three axes": good[None],
    "NaN": torch.full_like(good, NAN),
    "infinite": torch.where(good > 1, INF, good),
    "whole numbers": good.long(),
    "array": good.numpy(),
    "list": good.tolist(),
    "nothing": None,
}
OF_ANOTHER_NETWORK = {"another network": torch.randn(20, 5)}
half = np.full((4, 2), 0.5)
PROBABILITIES: dict[str, tuple[Any, Any]] = {
    "no probabilities": (half * 8, [0, 1, 0, 1]),
    "negative": (half - [[1.0, -1.0]], [0, 1, 0, 1]),
    "NaN": (half * NAN, [0, 1, 0, 1]),
    "whole numbers": (np.ones((4, 1), int), [0, 0, 0, 0]),
    "one axis": (half[:, 0], [0, 1, 0, 1]),
    "no image": (half[:0], []),
    "too few labels": (half, [0, 1]),
    "names": (half, ["a", "b", "a", "b"]),
    "labels out of range": (half, [0, 1, 2, 0]),
    "negative labels": (half, [0, -1, 0, 1]),
    "labels as floats": (half, [0.0, 1.0, 0.0, 1.0]),
    "labels of two axes": (half, [[0], [1], [0], [1]]),
    "nothing": (None, None),
}


def network() -> Backbone:
    """A small network of three classes."""
    torch.manual_seed(0)
    layers = nn.Sequential(nn.Conv2d(3, 4, 3, 2), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3))
    return Backbone.wrap(layers, mean=(0.5,) * 3, std=(0.2,) * 3, classes=("a", "b", "c"), size=16)


def attempts() -> Iterator[Attempt]:
    """All attempts."""
    yield from _features()
    for name, (probabilities, truth) in PROBABILITIES.items():
        yield "calibration", name, lambda p=probabilities, t=truth: metrics.expected_calibration_error(p, np.array(t))
    for bins in (0, -1, 1.5, None):
        yield (
            "calibration",
            f"bins={bins}",
            lambda bins=bins: metrics.expected_calibration_error(half, labels[:4], bins=bins),
        )
    yield from _maps()


def _features() -> Iterator[Attempt]:
    distances: dict[str, Callable[..., Any]] = {
        "frechet_distance": metrics.frechet_distance,
        "kernel_distance": metrics.kernel_distance,
        "prdc": metrics.prdc,
    }
    for door, distance in distances.items():
        for name, features in (FEATURES | OF_ANOTHER_NETWORK).items():
            yield door, f"features: {name}", lambda d=distance, f=features: d(f, good)
            yield door, f"reference: {name}", lambda d=distance, f=features: d(good, f)
    for nearest in (0, -1, 1.5, 20, "5"):
        yield "prdc", f"nearest={nearest}", lambda nearest=nearest: metrics.prdc(good, good, nearest=nearest)
    for name, features in (FEATURES | OF_ANOTHER_NETWORK).items():
        if name != "one row":  # one image is like the nearest of others
            yield (
                "diversity",
                f"samples: {name}",
                lambda f=features: metrics.diversity((f, labels), (good, labels), good),
            )
            yield (
                "diversity",
                f"training: {name}",
                lambda f=features: metrics.diversity((good, labels), (good, labels), f),
            )
    for name, values in {"too few": labels[:1], "list": labels.tolist(), "nothing": None}.items():
        yield "diversity", f"labels: {name}", lambda v=values: metrics.diversity((good, v), (good, labels), good)


def _maps() -> Iterator[Attempt]:
    model, images, targets = network(), torch.rand(2, 3, 16, 16, generator=draws), torch.tensor([0, 1])
    right = torch.rand(2, 16, 16, generator=draws)
    maps: dict[str, Any] = {
        **{"one map": right[:1], "another size": right[:, 1:], "four axes": right[:, None], "NaN": right * NAN},
        **{"array": right.numpy(), "whole numbers": right.long(), "nothing": None},
    }
    for name, each in maps.items():
        yield "deletion_insertion", name, lambda m=each: attributions.deletion_insertion(model, images, targets, m)
        yield "completeness_error", name, lambda m=each: completeness_error(model, images, targets, m)
        if name not in ("one map", "four axes", "nothing"):
            yield "segment", name, lambda m=each: segment(images[0], m[0])
    measured, baseline = (
        attributions.deletion_insertion(model, images, targets, right),
        random_baseline(model, images, targets),
    )
    one = random_baseline(model, images[:1], targets[:1])
    yield "verdicts", "of other images", lambda: verdicts(measured, one)
    yield (
        "verdicts",
        "of one map",
        lambda: verdicts(attributions.deletion_insertion(model, images[:1], targets[:1], right[:1]), baseline),
    )
    for name, other in {
        "one image": images[:1],
        "another size": images[..., 1:],
        "array": images.numpy(),
        "nothing": None,
    }.items():
        yield "structural_similarity", name, lambda other=other: structural_similarity(images, other)
    for name, image in {"grey": images[0, :1], "batch": images, "nothing": None}.items():
        yield "segment", f"image: {name}", lambda image=image: segment(image, right[0])
    for norm in ("l1", "", None, 2):
        yield "robust_accuracy", f"norm={norm}", lambda n=norm: attacks.robust_accuracy(model, images, targets, norm=n)
    for epsilons in ([], [0], [-1], [0.2, 0.1], [0.1, 0.1], [NAN], [INF], "0.1", 0.1, [[0.1]], [None]):
        yield (
            "robust_accuracy",
            f"{epsilons}",
            lambda e=epsilons: attacks.robust_accuracy(model, images, targets, epsilons=e),
        )


report(attempts())
