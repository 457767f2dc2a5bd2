"""From features to an evaluated classifier: a linear head on frozen features, or a fine-tuned network."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
from torch import nn

from vitrail.backbones import BACKBONES
from vitrail.datasets.data_card import DataCard, class_counts, with_unreadable
from vitrail.datasets.labelled import LabelledImages
from vitrail.datasets.splits import TrainTestSplit
from vitrail.errors import BadFolder
from vitrail.events import Note, Progress, Weights
from vitrail.formatting import count, display_name
from vitrail.model_card import model_card
from vitrail.transfer.evaluation import Copies, Evaluation
from vitrail.transfer.features import Extractor
from vitrail.transfer.fine_tuning import FineTuning
from vitrail.transfer.fitting import Fitted, Fitting
from vitrail.transfer.head import LinearHead
from vitrail.transfer.multi_network import MultiNetworkFeatures
from vitrail.transfer.scaling import scale


@dataclass(frozen=True)
class FitResult:
    """An evaluated classifier.

    Attributes:
        evaluation: its metrics on the test images.
        weights: the files that store it.
    """

    evaluation: Evaluation
    weights: Sequence[Weights] = field(repr=False)


@dataclass(frozen=True)
class ReadableSplit:
    """The images that could be read, and what is known of them.

    Attributes:
        features: of `train`, then of `test`.
        card: of the data.
        near: (n,) whether each test image is an altered copy of a training image; None: that was not looked for.
    """

    train: LabelledImages
    test: LabelledImages
    features: MultiNetworkFeatures = field(repr=False)
    card: DataCard
    near: np.ndarray | None = field(default=None, repr=False)

    @cached_property
    def copies(self) -> Copies:
        """Which test images have the very bytes of a training image, and which are altered copies of one."""
        end = len(self.train)
        equal = np.isin(self.features.contents[end:], self.features.contents[:end])
        return Copies(equal, None if self.near is None else self.near & ~equal)

    def last_layer(self) -> tuple[np.ndarray, np.ndarray]:
        """(n, d) and (m, d), of the training and the test images: the deepest features, rows of unit length."""
        layers = next(iter(self.features.blocks.values()))
        rows = scale([list(layers.values())[-1]], "square-root")
        return rows[: len(self.train)], rows[len(self.train) :]

    def with_near(self, near: np.ndarray) -> ReadableSplit:
        """The same, with what is known of altered copies."""
        split = replace(self, near=near)
        return replace(split, card=replace(self.card, copies=int(split.copies.any.sum())))

    def values(self) -> dict[str, Any]:
        """The data card as `result.json` has it, with what all images, and those to test on, hold."""
        hashed = {name: _sha256_of(row for row in self.rows if row[2] in parts) for name, parts in _HASHED.items()}
        return {**self.card.values(), **hashed}

    @cached_property
    def rows(self) -> list[tuple[str, str, str, str]]:
        """File, class, part and content of each image; the content as the first 16 hexadecimal digits of its sha256."""
        rows = [(file, label, part) for part in ("train", "test") for file, label in getattr(self, part)]
        return [
            (display_name(file), self.train.classes[label], part, f"{int(content):016x}")
            for (file, label, part), content in zip(rows, self.features.contents, strict=True)
        ]


_HASHED = {"sha256": ("train", "test"), "test_sha256": ("test",)}


def _sha256_of(rows: Iterable[tuple[str, str, str, str]]) -> str:
    """Of what is in some images, and of their classes and parts; neither their names nor their order matter."""
    whole = sha256()
    for row in sorted(repr(row[1:]) for row in rows):
        whole.update(row.encode())
    return whole.hexdigest()


def readable_split(split: TrainTestSplit, features: MultiNetworkFeatures, source: str) -> ReadableSplit:
    """The training and the test images that could be read; classes without such a training image are left out.

    Args:
        features: of the training images, then of the test images.
        source: of the data, as it was given.
    Raises:
        BadFolder: there are fewer than two classes then.
    """
    end = int(np.searchsorted(features.rows, len(split.train)))
    train = split.train.take(features.rows[:end])
    test = split.test.take(features.rows[end:] - len(split.train))
    present = np.unique(train.labels)
    left_out, notes = with_unreadable(split.left_out, len(features.skipped)), list(split.notes)
    gone = sorted(set(train.classes) - {train.classes[label] for label in present})
    if gone:
        tested = np.isin(test.labels, present)
        features = features.take(np.concatenate([np.arange(end), end + np.flatnonzero(tested)]))
        left_out["of classes without a readable training image"] = int((~tested).sum())
        notes.append(f"Without a readable training image, and left out: {', '.join(map(display_name, gone))}.")
        train, test = (_renumbered(images, present) for images in (train, test.take(np.flatnonzero(tested))))
    if len(train.classes) < 2:
        raise BadFolder(
            f"Fewer than two classes have a readable training image. The first skipped image: "
            f"{features.skipped[0]['reason']} Use classes with readable images."
        )
    if twice := _in_two_classes(features.contents, np.concatenate([train.labels, test.labels])):
        notes.append(f"{count(twice, 'image is', 'images are')} in more than one class, with the very same bytes.")
    parts = {"train": len(train), "test": len(test)}
    classes = class_counts(np.concatenate([train.labels, test.labels]), train.classes)
    data = ReadableSplit(train, test, features, DataCard(source, parts, classes, left_out, tuple(notes)))
    return replace(data, card=replace(data.card, copies=int(data.copies.equal.sum())))


def _in_two_classes(contents: np.ndarray, labels: np.ndarray) -> int:
    """Number of contents that have more than one label."""
    pairs = np.unique(np.stack([contents, labels.astype(np.uint64)]), axis=1)
    return int((np.unique(pairs[0], return_counts=True)[1] > 1).sum())


def _renumbered(images: LabelledImages, present: np.ndarray) -> LabelledImages:
    classes = tuple(images.classes[label] for label in present)
    return replace(images, labels=np.searchsorted(present, images.labels), classes=classes)


def fit_linear(
    data: ReadableSplit,
    fitting: Fitting,
    *,
    name: str,
    weights: Path | None = None,
    flip: bool = False,
) -> Generator[Note, None, FitResult]:
    """A linear classifier on frozen features; layers and C are chosen by cross-validation on the training images.

    Args:
        name: of the data, for the model card.
        weights: file that replaced the networks' own weights.
        flip: whether the features are averages with those of the mirror images.
    """
    features, end = data.features, len(data.train)
    fitted = fitting.run(features.select(slice(end)), data.train.labels)
    if fitted.convergence_warning:
        yield Note(fitted.convergence_warning, "warning")
    probabilities = fitted.head.probabilities(fitted.features(features.select(slice(end, None))))
    evaluation = Evaluation(data.test, probabilities, _selection(fitted, fitting.head), data.copies, data.card)
    members: list[dict[str, Any]] = []
    networks: list[Weights] = []
    for backbone, layers in fitted.layers.items():
        member = {"backbone": backbone, "layers": list(layers), "network": None}
        if weights is not None:  # a run holds all that it needs: nothing outside is opened because a run names it
            stem = "network" if len(fitted.layers) == 1 else f"network-{len(networks) + 1}"
            member["network"] = f"{stem}.safetensors"
            networks.append(_network(BACKBONES[backbone](weights).network, evaluation, name, stem))
        members.append(member)
    return FitResult(evaluation, [*networks, _head(fitted.head, members, evaluation, name, fitting.scaling, flip)])


def fit_fine_tuned(
    data: ReadableSplit,
    fitting: Fitting,
    tuning: FineTuning,
    *,
    name: str,
    weights: Path | None = None,
    flip: bool = False,
) -> Generator[Progress | Note, None, FitResult]:
    """A fine-tuned network; its new last layer starts from a linear classifier on the features.

    Args:
        name, weights, flip: as for `fit_linear`.
    """
    train, test = data.train, data.test
    initial = fitting.run(data.features.select(slice(len(train))), train.labels)
    ((backbone, (layer,)),) = initial.layers.items()
    spec = BACKBONES[backbone]
    tuned = yield from tuning.run(spec(weights), layer, initial.head, (train.files, train.labels))
    extractor = Extractor(
        spec, (layer,), flip=flip, engine=tuning.engine, device=tuning.device, backbone=tuned.backbone
    )
    extraction = yield from extractor.run(test.files)
    empty = np.empty((0, tuned.head.weights.shape[1]), np.float32)  # when no test image can be read
    probabilities = tuned.head.probabilities(extraction.features.get(layer, empty))
    selection = {**_selection(initial, "fine-tune"), "curve_epoch": tuned.curve}
    rows = extraction.rows
    evaluation = Evaluation(test.take(rows), probabilities, selection, data.copies.take(rows), data.card)
    members = [{"backbone": backbone, "layers": [layer], "network": "network.safetensors"}]
    head = _head(tuned.head, members, evaluation, name, "none", flip)
    return FitResult(evaluation, [_network(tuned.backbone.network, evaluation, name), head])


def _selection(fitted: Fitted, head: str) -> dict[str, Any]:
    layers = ",".join("+".join(chosen) for chosen in fitted.layers.values())
    choice = {"backbone": ",".join(fitted.layers), "layer": layers, "C": fitted.C, "head": head}
    return {"choice": choice, "curve_C": fitted.curve_C, "curve_layer": fitted.curve_layer}


def _head(
    head: LinearHead, members: list[dict[str, Any]], evaluation: Evaluation, data: str, scaling: str, flip: bool
) -> Weights:
    description = {
        "name": _title(evaluation, data),
        "members": members,
        "scaling": scaling,
        "flip": flip,
        "classes": list(evaluation.test.classes),
    }
    return Weights("head", head.tensors(), description, _card(evaluation, data))


def _network(network: nn.Module, evaluation: Evaluation, data: str, stem: str = "network") -> Weights:
    tensors = {key: tensor.cpu().numpy() for key, tensor in network.state_dict().items()}
    return Weights(stem, tensors, {"name": _title(evaluation, data)}, _card(evaluation, data))


def _title(evaluation: Evaluation, data: str) -> str:
    return f"{evaluation.selection['choice']['backbone']} on {data}"


def _card(evaluation: Evaluation, data: str) -> str:
    test, choice = evaluation.metrics()["test"], evaluation.selection["choice"]
    metrics = {"accuracy": "not measured"}
    if test["accuracy"] is not None:
        low, high = test["interval"]
        metrics = {
            "accuracy": f"{test['accuracy']:.4f} ({test['n']} test images, 95 % interval {low:.4f} to {high:.4f})",
            "expected calibration error": f"{test['ece']:.4f}",
        }
        if test["copies"]:
            rest = test["without_copies"]
            without = f"{rest['accuracy']:.4f} ({rest['n']} images)" if rest["n"] else "not measured: all are copies"
            metrics["accuracy without copies of training images"] = without
    kind = "A fine-tuned network" if choice["head"] == "fine-tune" else f"A linear {choice['head']} on frozen features"
    licences = [f"{name}: {BACKBONES[name].licence}" for name in choice["backbone"].split(",")]
    return model_card(
        _title(evaluation, data),
        f"{kind} of {choice['backbone']}, layers {choice['layer']}, for {len(evaluation.test.classes)} classes.",
        tags=["image-classification"],
        metrics=metrics,
        details=[
            f"Data: {evaluation.card.line()}.",
            "Licences of the pretrained weights: " + "; ".join(licences) + ".",
        ],
        usage=["vitrail predict RUN IMAGE", 'vitrail.load("RUN").predict(["IMAGE"])'],
    )
