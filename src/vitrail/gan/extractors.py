"""The networks that an evaluation measures with, opened by name and tried on degraded real images."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vitrail.backbones import DEFAULT_BACKBONE
from vitrail.backbones.sources import packaged_instead
from vitrail.datasets.pixels import PixelSet
from vitrail.errors import BadSetting, MissingWeights
from vitrail.events import Note, Progress
from vitrail.metrics.certificate import Certificate
from vitrail.metrics.certificate_cache import open_certificate
from vitrail.metrics.feature_extractors import (
    BackboneFeatures,
    ClassifierFeatures,
    FeatureExtractor,
    classifier_features,
    train_sample_classifier,
)
from vitrail.metrics.inception import open_inception
from vitrail.metrics.sample_evaluation import SampleEvaluation
from vitrail.transfer.classifier import open_network

INCEPTION = "inception:"
JUDGE = "judge"
PRETRAINED = (DEFAULT_BACKBONE, "squeezenet")
"""Networks of photographs that "auto" measures with: the first that no discriminator has seen images through."""

Opened = tuple[FeatureExtractor, Certificate]


@dataclass(frozen=True)
class Extractors:
    """What generated images are measured with.

    Attributes:
        main: the network of every evaluation, and its certificate.
        others: measured with at the end, too.
        judge: confirms labels; None: there is none.
    """

    main: Opened
    others: tuple[Opened, ...]
    judge: ClassifierFeatures | None

    def evaluation(
        self, train: PixelSet, held_out: PixelSet, *, count: int, seed: int, by_class: bool
    ) -> SampleEvaluation:
        """The evaluation with the main network; see `SampleEvaluation`."""
        return self._evaluation(self.main, train, held_out, count=count, seed=seed, by_class=by_class)

    def further(
        self, train: PixelSet, held_out: PixelSet, *, count: int, seed: int, by_class: bool
    ) -> list[SampleEvaluation]:
        """The same with each of the other networks: of the same images, with the same labels."""
        options: dict[str, Any] = {"count": count, "seed": seed, "by_class": by_class}
        return [self._evaluation(each, train, held_out, **options) for each in self.others]

    def _evaluation(self, opened: Opened, train: PixelSet, held_out: PixelSet, **options: Any) -> SampleEvaluation:
        extractor, certificate = opened
        return SampleEvaluation(extractor, train, held_out, certificate=certificate, judge=self.judge, **options)


def open_extractors(
    name: str,
    train: PixelSet,
    held_out: PixelSet,
    *,
    seed: int,
    device: str,
    cache: Path,
    seen: str | None = None,
    labelled: bool = True,
) -> Generator[Progress | Note, None, Extractors]:
    """Opens the networks and their certificates; yields progress and notes.

    "auto" takes the first network whose Fréchet distance tells degraded real images from real ones. Of photographs a
    pretrained network is tried first, and where there are labels, the judge is measured with at the end, too; of
    other images with labels (digits and the like) the judge is tried first.

    Args:
        name: a feature extractor, see `open_feature_extractor`, or "auto".
        cache: folder with `judges` and `certificates`.
        seen: the network through which a discriminator sees images: "auto" does not measure with it.
        labelled: whether labels of generated images are to be judged.
    """

    def opened(name: str) -> Generator[Progress | Note, None, Opened]:
        extractor = yield from open_feature_extractor(
            name, train, held_out, seed=seed, device=device, cache=cache / "judges"
        )
        certificate = yield from open_certificate(extractor, train, held_out, cache=cache / "certificates")
        return extractor, certificate

    if name != "auto":
        only = yield from opened(name)
        if seen and (name.startswith(seen) or seen.startswith(name)):
            yield Note(
                f"The discriminator saw images through {seen}: distances in its features fall without the images "
                "getting better. Use --feature-extractor auto.",
                "warning",
            )
        return Extractors(only, (), _judge([only]))
    pretrained = next(each for each in PRETRAINED if not (seen or "").startswith(each))
    has_labels = bool(train.names)
    names = [pretrained, *([JUDGE] if has_labels else [])]
    if has_labels and not train.photographic:
        names.reverse()
    tried: list[Opened] = []
    for each in names:
        tried.append((yield from opened(each)))
        refusal = _refusal(tried[-1])
        if refusal:
            yield Note(f"The Fréchet distance cannot tell in features of {each}: {refusal}.")
        elif each == JUDGE or not (has_labels and labelled):
            break
    able = [each for each in tried if not _refusal(each)] or tried[:1]
    others = tuple(each for each in able[1:] if not each[1].undefined)
    return Extractors(able[0], others, _judge(tried))


def _refusal(opened: Opened) -> str:
    """Why the Fréchet distance cannot tell; empty: it can, or could not be tried."""
    certificate = opened[1]
    return "" if certificate.undefined else certificate.refusal("frechet-distance")


def _judge(opened: list[Opened]) -> ClassifierFeatures | None:
    return next((each for each, _ in opened if isinstance(each, ClassifierFeatures)), None)


def open_feature_extractor(
    name: str, train: PixelSet, held_out: PixelSet, *, seed: int, device: str, cache: Path
) -> Generator[Progress, None, FeatureExtractor]:
    """The feature extractor called `name`; yields the progress of training a judge.

    Args:
        name: "judge" (a small classifier trained on these images, or from the cache), a backbone, or "inception:FILE"
            with the weights of the FID's network.
        cache: folder of trained judges.
    Raises:
        BadSetting: no name, a judge for images without labels, or no such weights.
        UnknownName, MissingWeights: as `open_network`.
    """
    if not name:  # it would be the working directory
        raise BadSetting("The feature extractor has no name; got ''. Use auto.")
    if name.startswith(INCEPTION):
        return open_inception(Path(name.removeprefix(INCEPTION)), device=device)
    if name != JUDGE:
        try:
            return BackboneFeatures(open_network(name, device=device))
        except MissingWeights as error:
            raise packaged_instead(error) from None
    if not train.names:
        raise BadSetting("The judge is trained on labels; these images have none. Use --feature-extractor squeezenet.")
    classifier, sha = yield from train_sample_classifier(train, seed=seed, device=device, cache=cache)
    return classifier_features(classifier, sha, held_out)
