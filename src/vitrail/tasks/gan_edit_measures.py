"""Whether an edit did what was wished, and whether it is still the same thing: by networks that did not make it."""

from __future__ import annotations

from collections.abc import Generator as Steps
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from torch import Tensor

from vitrail.datasets.open_pixels import Opened, open_pixels
from vitrail.datasets.pixels import PixelSet
from vitrail.errors import MissingWeights, VitrailError
from vitrail.events import Event, Note
from vitrail.gan.generator_network import GeneratorNetwork
from vitrail.gan.training_data import read_data_options
from vitrail.metrics.feature_extractors import (
    BackboneFeatures,
    ClassifierFeatures,
    classifier_features,
    train_sample_classifier,
)
from vitrail.metrics.sample_classifier import agreement
from vitrail.tasks.gan_edit_images import Edited
from vitrail.transfer.classifier import open_network

if TYPE_CHECKING:
    from vitrail.tasks.gan_edit import GanEdit

IDENTITY = "squeezenet"
"""Whose features tell likeness: not the judge's, which were made to tell apart what an edit is to change."""

PAIRS = 500  # of real images, at most, whose mean distance is that of different ones


class Measures:
    """Looks at edited images.

    Attributes:
        reader: what likeness is measured with; None: it is not.
        judge: what says which attributes it sees; None: nobody does.
        apart: mean distance between two different real images in the reader's features; None: not known.
        seen: of each attribute, in which share of the real images that have it not (0) or have it (1) the judge says
            so: what an edit can be held to.
    """

    def __init__(
        self,
        names: tuple[str, ...],
        reader: BackboneFeatures | None,
        judge: ClassifierFeatures | None,
        held_out: PixelSet | None,
    ) -> None:
        self.names, self.reader, self.judge = names, reader, judge
        self.apart: float | None = None
        self.seen: dict[str, tuple[float, float]] = {}
        if reader is not None and held_out is not None:
            features = reader.features(held_out.images[:PAIRS])
            self.apart = float(_distances(features, features.roll(1, dims=0)).mean())
        if judge is not None and held_out is not None:
            right = agreement(judge.classifier.features_and_logits(held_out.images)[1], held_out.labels)
            for name, of, labels in zip(names, right.T, held_out.labels.T, strict=True):
                self.seen[name] = _share(of[labels < 0]), _share(of[labels > 0])

    @property
    def identities(self) -> list[dict[str, Any]]:
        """The reader as `result.json` names networks."""
        return [] if self.reader is None else [{"name": self.reader.name, "sha256": self.reader.weights_sha256}]

    @property
    def judge_figures(self) -> dict[str, Any] | None:
        """The judge as `result.json` has it."""
        return None if self.judge is None else self.judge.values()

    def measure(self, found: Edited, wishes: Mapping[int, float]) -> list[dict[str, Any]]:
        """What `result.json` says of each image."""
        entries: list[dict[str, Any]] = [
            {
                "attributes": self._shares((attributes + 1) / 2),
                "reconstruction_error": _error(rebuilt, original),
                "encoder_error": _error(encoded, original),
                "identity": None,
                "judge": None,
                "success": None,
            }
            for attributes, rebuilt, encoded, original in zip(
                found.attributes, found.rebuilt, found.encoded, found.original, strict=True
            )
        ]
        if self.reader is not None:
            self._add_identity(entries, found)
        if self.judge is not None:
            self._add_verdicts(entries, found, wishes)
        return entries

    def _add_identity(self, entries: list[dict[str, Any]], found: Edited) -> None:
        assert self.reader is not None
        original, rebuilt, edited = map(self.reader.features, (found.original, found.rebuilt, found.edited))
        of_edit, of_rebuilt = _distances(edited, original).tolist(), _distances(rebuilt, original).tolist()
        for entry, edit, again in zip(entries, of_edit, of_rebuilt, strict=True):
            entry["identity"] = {
                "distance": edit,
                "reconstruction_distance": again,
                "different_images": self.apart,
                "ratio": edit / self.apart if self.apart else None,
            }

    def _add_verdicts(self, entries: list[dict[str, Any]], found: Edited, wishes: Mapping[int, float]) -> None:
        assert self.judge is not None
        before, after = (
            self.judge.classifier.features_and_logits(pixels)[1].sigmoid() for pixels in (found.original, found.edited)
        )
        for entry, was, now in zip(entries, before, after, strict=True):
            entry["judge"] = {"before": self._shares(was), "after": self._shares(now)}
            entry["success"] = all((float(now[index]) > 0.5) == (value > 0) for index, value in wishes.items())

    def _shares(self, row: Tensor) -> dict[str, float]:
        return dict(zip(self.names, row.tolist(), strict=True))


def open_measures(task: GanEdit, generator: GeneratorNetwork, device: str) -> Steps[Event, None, Measures]:
    """The networks that look at edits; a note for each that cannot be had.

    The judge has learned the real images that the generator's training kept apart from those held out: their folder
    is named in the settings of that run.
    """
    reader, judge, held_out = None, None, None
    try:
        reader = BackboneFeatures(open_network(IDENTITY, device=device))
    except MissingWeights as error:
        yield Note(f"Likeness is not measured: {error}")
    try:
        opened, seed = _real(generator, task.cache, download=task.download)
    except VitrailError as error:
        yield Note(f"Whether edits succeeded is not judged: the images the generator learned cannot be had: {error}")
    else:
        yield from map(Note, opened.skipped)
        made = yield from train_sample_classifier(opened.train, seed=seed, device=device, cache=task.cache / "judges")
        held_out = opened.held_out
        judge = classifier_features(*made, held_out)
    return Measures(generator.names, reader, judge, held_out)


def _real(generator: GeneratorNetwork, cache: Path, *, download: bool) -> tuple[Opened, int]:
    """The images of the generator's training, parted as they were then, and its seed."""
    source, options = read_data_options(generator.description, home=cache / "datasets", download=download)
    return open_pixels(source, options), int(generator.description["seed"])


def _distances(features: Tensor, others: Tensor) -> Tensor:
    return (features - others).square().sum(dim=1).sqrt()


def _share(right: Tensor) -> float:
    return float(right.float().mean()) if len(right) else 0.0


def _error(pixels: Tensor, others: Tensor) -> float:
    """Mean squared difference in intensity, 0 to 1."""
    return float(((pixels.float() - others.float()) / 255).square().mean())
