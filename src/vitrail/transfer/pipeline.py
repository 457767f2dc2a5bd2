"""From features to an evaluated classifier: a linear head on frozen features, or a fine-tuned network."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from torch import nn

from vitrail.backbones import BACKBONES
from vitrail.datasets.labelled import LabelledImages
from vitrail.datasets.splits import TrainTestSplit
from vitrail.errors import BadFolder
from vitrail.events import Note, Progress, Weights
from vitrail.image_files import display_name
from vitrail.model_card import model_card
from vitrail.transfer.evaluation import Evaluation
from vitrail.transfer.features import Extractor
from vitrail.transfer.fine_tuning import FineTuning
from vitrail.transfer.fitting import Fitted, Fitting
from vitrail.transfer.head import LinearHead
from vitrail.transfer.multi_network import MultiNetworkFeatures


@dataclass(frozen=True)
class FitResult:
    """An evaluated classifier.

    Attributes:
        evaluation: its metrics on the test images.
        weights: the files that store it.
    """

    evaluation: Evaluation
    weights: Sequence[Weights] = field(repr=False)


def readable_split(split: TrainTestSplit, features: MultiNetworkFeatures) -> tuple[LabelledImages, LabelledImages]:
    """The training and the test images that could be read.

    Args:
        features: of the training images, then of the test images.
    Raises:
        BadFolder: a class has no readable training image.
    """
    end = int(np.searchsorted(features.rows, len(split.train)))
    train = split.train.take(features.rows[:end])
    present = set(train.labels.tolist())
    missing = [name for label, name in enumerate(train.classes) if label not in present]
    if missing:
        raise BadFolder(
            f"Class '{display_name(missing[0])}' has no readable training image. The first skipped image: "
            f"{features.skipped[0]['reason']} Use a class with readable images, or remove it."
        )
    return train, split.test.take(features.rows[end:] - len(split.train))


def fit_linear(
    train: LabelledImages,
    test: LabelledImages,
    features: MultiNetworkFeatures,
    fitting: Fitting,
    *,
    name: str,
    weights: Path | None = None,
    flip: bool = False,
) -> Generator[Note, None, FitResult]:
    """A linear classifier on frozen features; layers and C are chosen by cross-validation on `train`.

    Args:
        features: of `train`, then of `test`.
        name: of the data, for the model card.
        weights: file that replaced the networks' own weights.
        flip: whether the features are averages with those of the mirror images.
    """
    fitted = fitting.run(features.select(slice(len(train))), train.labels)
    if fitted.convergence_warning:
        yield Note(fitted.convergence_warning, "warning")
    probabilities = fitted.head.probabilities(fitted.features(features.select(slice(len(train), None))))
    evaluation = Evaluation(test, probabilities, _selection(fitted, fitting.head))
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
    train: LabelledImages,
    test: LabelledImages,
    features: MultiNetworkFeatures,
    fitting: Fitting,
    tuning: FineTuning,
    *,
    name: str,
    weights: Path | None = None,
    flip: bool = False,
) -> Generator[Progress | Note, None, FitResult]:
    """A fine-tuned network; its new last layer starts from a linear classifier on `features`.

    Args:
        train, test, features, name, weights, flip: as for `fit_linear`.
    """
    initial = fitting.run(features.select(slice(len(train))), train.labels)
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
    evaluation = Evaluation(test.take(extraction.rows), probabilities, selection)
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
    kind = "A fine-tuned network" if choice["head"] == "fine-tune" else f"A linear {choice['head']} on frozen features"
    licences = [f"{name}: {BACKBONES[name].licence}" for name in choice["backbone"].split(",")]
    return model_card(
        _title(evaluation, data),
        f"{kind} of {choice['backbone']}, layers {choice['layer']}, for {len(evaluation.test.classes)} classes.",
        tags=["image-classification"],
        metrics=metrics,
        details=["Licences of the pretrained weights: " + "; ".join(licences) + "."],
        usage=["vitrail predict RUN IMAGE", 'vitrail.load("RUN").predict(["IMAGE"])'],
    )
