"""Opening a feature extractor by name."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path

from vitrail.datasets.pixels import PixelSet
from vitrail.errors import BadSetting
from vitrail.events import Progress
from vitrail.metrics.feature_extractors import (
    BackboneFeatures,
    FeatureExtractor,
    classifier_features,
    train_sample_classifier,
)
from vitrail.metrics.inception import open_inception
from vitrail.transfer.classifier import open_network

INCEPTION = "inception:"


def open_feature_extractor(
    name: str, train: PixelSet, held_out: PixelSet, *, seed: int, device: str, cache: Path
) -> Generator[Progress, None, FeatureExtractor]:
    """The feature extractor called `name`; yields the progress of training a judge.

    Args:
        name: "judge" (a small classifier trained on these images, or from the cache), a backbone, "inception:FILE" with
            the weights of the FID's network, or "auto" (the judge where there are labels, else efficientnet-lite0).
        cache: folder of trained judges.
    Raises:
        BadSetting: no name, a judge for images without labels, or no such weights.
        UnknownName, MissingWeights: as `open_network`.
    """
    if not name:  # it would be the working directory
        raise BadSetting("The feature extractor has no name; got ''. Use auto.")
    if name == "auto":
        name = "judge" if train.names else "efficientnet-lite0"
    if name.startswith(INCEPTION):
        return open_inception(Path(name.removeprefix(INCEPTION)), device=device)
    if name != "judge":
        return BackboneFeatures(open_network(name, device=device))
    if not train.names:
        raise BadSetting("The judge is trained on labels; these images have none. Use --feature-extractor squeezenet.")
    classifier, sha = yield from train_sample_classifier(train, seed=seed, device=device, cache=cache)
    return classifier_features(classifier, sha, held_out)
