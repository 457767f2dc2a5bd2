"""Metrics of edited images: success, by a judge trained on real images, and identity, by a pretrained network."""

from __future__ import annotations

from collections.abc import Generator as Steps
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from vitrail.datasets.pixel_data import TrainAndHeldOut, load_pixel_sets
from vitrail.datasets.pixels import PixelSet
from vitrail.errors import MissingWeights, VitrailError
from vitrail.events import Event, Note, skipped_notes
from vitrail.gan.editor import EditResult
from vitrail.gan.generator_network import GeneratorNetwork
from vitrail.gan.training_data import find_training_data
from vitrail.metrics.feature_extractors import (
    BackboneFeatures,
    ClassifierFeatures,
    classifier_features,
    train_sample_classifier,
)
from vitrail.metrics.sample_classifier import agreement
from vitrail.transfer.classifier import open_network

IDENTITY_BACKBONE = "squeezenet"
"""Not the judge: its features were trained to distinguish what an edit changes."""

MAX_PAIRS = 500  # of different real images, for the baseline of the distance


class EditMetrics:
    """Measures edited images.

    Attributes:
        identity: feature extractor of the distance to the original; None: the distance is not measured.
        judge: classifier of the attributes; None: success is not measured.
        baseline_distance: mean distance between two different real images; None: unknown.
        judge_accuracy: for each attribute, accuracy of the judge on held-out images without it and with it; None:
            there is none.
    """

    def __init__(
        self,
        names: tuple[str, ...],
        identity: BackboneFeatures | None,
        judge: ClassifierFeatures | None,
        held_out: PixelSet | None,
    ) -> None:
        self.names, self.identity, self.judge = names, identity, judge
        self.baseline_distance: float | None = None
        self.judge_accuracy: dict[str, tuple[float | None, float | None]] = {}
        if identity is not None and held_out is not None:
            features = identity.features(held_out.images[:MAX_PAIRS])
            self.baseline_distance = float(_distances(features, features.roll(1, dims=0)).mean())
        if judge is not None and held_out is not None:
            correct = agreement(judge.classifier.features_and_logits(held_out.images)[1], held_out.labels)
            for name, column, labels in zip(names, correct.T, held_out.labels.T, strict=True):
                self.judge_accuracy[name] = _mean(column[labels < 0]), _mean(column[labels > 0])

    @property
    def backbones(self) -> list[dict[str, Any]]:
        """The key `backbone` of `result.json`."""
        return [] if self.identity is None else [{"name": self.identity.name, "sha256": self.identity.weights_sha256}]

    @property
    def judge_values(self) -> dict[str, Any] | None:
        """The key `judge` of `result.json`."""
        return None if self.judge is None else self.judge.values()

    def measure(self, result: EditResult, edits: Mapping[int, float]) -> list[dict[str, Any]]:
        """Metrics of each image, as in `result.json`."""
        entries: list[dict[str, Any]] = [
            {
                "attributes": self._by_name((attributes + 1) / 2),
                "strength": strength,
                "seen": seen,
                "reconstruction_error": _squared_error(reconstruction, original),
                "encoder_error": _squared_error(encoded, original),
                "identity": None,
                "judge": None,
                "success": None,
            }
            for attributes, strength, seen, reconstruction, encoded, original in zip(
                result.attributes,
                result.strength.tolist(),
                result.seen.tolist(),
                result.reconstruction,
                result.encoded,
                result.original,
                strict=True,
            )
        ]
        if self.identity is not None:
            self._add_identity(self.identity, entries, result)
        if self.judge is not None:
            self._add_success(self.judge, entries, result, edits)
        return entries

    def _add_identity(self, extractor: BackboneFeatures, entries: list[dict[str, Any]], result: EditResult) -> None:
        original, reconstruction, edited = map(
            extractor.features, (result.original, result.reconstruction, result.edited)
        )
        edit_distances = _distances(edited, original).tolist()
        reconstruction_distances = _distances(reconstruction, original).tolist()
        baseline = self.baseline_distance
        for entry, edit, rebuilt in zip(entries, edit_distances, reconstruction_distances, strict=True):
            entry["identity"] = {
                "distance": edit,
                "reconstruction_distance": rebuilt,
                "baseline": baseline,
                "ratio": edit / baseline if baseline else None,
            }

    def _add_success(
        self,
        judge: ClassifierFeatures,
        entries: list[dict[str, Any]],
        result: EditResult,
        edits: Mapping[int, float],
    ) -> None:
        before, after = (
            judge.classifier.features_and_logits(pixels)[1].sigmoid() for pixels in (result.original, result.edited)
        )
        for entry, was, now in zip(entries, before, after, strict=True):
            entry["judge"] = {"before": self._by_name(was), "after": self._by_name(now)}
            entry["success"] = all((float(now[index]) > 0.5) == (value > 0) for index, value in edits.items())

    def _by_name(self, row: Tensor) -> dict[str, float]:
        return dict(zip(self.names, row.tolist(), strict=True))


def open_edit_metrics(
    generator: GeneratorNetwork, *, cache: Path, download: bool, device: str
) -> Steps[Event, None, EditMetrics]:
    """Opens the networks of the metrics; yields progress, and a note for each that is not available.

    The judge is trained on the generator's training images; its accuracy is that on the held-out ones.

    Args:
        cache: folder of trained judges and downloaded data.
        download: whether a data set may be downloaded.
    """
    identity, judge, held_out = None, None, None
    try:
        identity = BackboneFeatures(open_network(IDENTITY_BACKBONE, device=device))
    except MissingWeights as error:
        yield Note(f"Distances to the original are not measured: {error}", "warning")
    try:
        opened, seed = _open_real_images(generator, cache, download=download)
    except VitrailError as error:
        yield Note(f"Success is not measured, because the training images cannot be opened: {error}", "warning")
    else:
        yield from skipped_notes(opened.skipped)
        if opened.train.names != generator.names:
            named = ", ".join(opened.train.names) or "no attributes"
            text = f"these have {named}, not {', '.join(generator.names)}"
            yield Note(f"Success is not measured, because the training images have changed: {text}.", "warning")
            return EditMetrics(generator.names, identity, None, None)
        trained = yield from train_sample_classifier(opened.train, seed=seed, device=device, cache=cache / "judges")
        held_out = opened.held_out
        judge = classifier_features(*trained, held_out)
    return EditMetrics(generator.names, identity, judge, held_out)


def _open_real_images(generator: GeneratorNetwork, cache: Path, *, download: bool) -> tuple[TrainAndHeldOut, int]:
    """The images of the generator's training, split as they were, and its seed."""
    source, options = find_training_data(generator, home=cache / "datasets", download=download)
    return load_pixel_sets(source, options), int(generator.description["seed"])


def _distances(features: Tensor, others: Tensor) -> Tensor:
    return (features - others).square().sum(dim=1).sqrt()


def _mean(correct: Tensor) -> float | None:
    return float(correct.float().mean()) if len(correct) else None


def _squared_error(pixels: Tensor, others: Tensor) -> float:
    """Mean squared difference of intensities in [0, 1]."""
    return float(((pixels.float() - others.float()) / 255).square().mean())
