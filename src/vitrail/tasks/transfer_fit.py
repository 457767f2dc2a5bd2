"""From features to a classifier: a linear head on frozen features, or the network trained further."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from vitrail.backbones import BACKBONES
from vitrail.datasets.labelled import LabelledImages
from vitrail.events import Note, Progress, Weights
from vitrail.tasks.transfer_report import Outcome, model_card
from vitrail.transfer.features import Extractor
from vitrail.transfer.fitting import Fitted, Fitting, Head
from vitrail.transfer.head import LinearHead
from vitrail.transfer.joined import Blocks, Joined

if TYPE_CHECKING:
    from vitrail.tasks.transfer import Transfer
    from vitrail.transfer.fine_tuning import Tuned

Made = tuple[Outcome, list[Weights]]


def extractors_of(task: Transfer) -> list[Extractor]:
    """One for each network, for all layers that may be used."""
    return [
        Extractor(
            BACKBONES[name],
            _layers(task, name),
            weights=task.weights,
            flip=task.flip,
            cache=task.cache if task.use_cache and not task.is_sharded else None,
            engine=task.forward,
            device=task.device,
            steady=task.is_sharded,
        )
        for name in task.backbone
    ]


def _layers(task: Transfer, name: str) -> tuple[str, ...]:
    if task.layer != ("auto",):
        return task.layer
    offered: tuple[str, ...] = BACKBONES[name].feature_layers
    return offered[-1:] if task.head == "fine-tune" else offered  # what goes into the last layer, which is replaced


def linear(task: Transfer, train: LabelledImages, test: LabelledImages, joined: Joined) -> Generator[Note, None, Made]:
    """A linear classifier, its layers and C chosen by cross-validation on `train`."""
    kind: Head = "logistic" if task.head == "logistic" else "svm"
    choose = task.layer == ("auto",)
    fitted = Fitting(kind, task.C, task.scaling, choose, task.folds, task.seed).run(
        _rows(joined.blocks, slice(len(train))), train.labels
    )
    if fitted.unfinished:
        yield Note(fitted.unfinished)
    odds = fitted.head.probabilities(fitted.features(_rows(joined.blocks, slice(len(train), None))))
    outcome = Outcome(test, odds, _chosen(fitted, task.head))
    members = [
        {"backbone": name, "layers": list(layers), "weights": task.weights and str(task.weights), "network": None}
        for name, layers in fitted.layers.items()
    ]
    return outcome, [_head(task, fitted.head, members, outcome, task.scaling)]


def fine_tuned(
    task: Transfer, train: LabelledImages, test: LabelledImages, joined: Joined
) -> Generator[Progress | Note, None, Made]:
    """The network trained further, its last layer having started from a linear classifier."""
    from vitrail.transfer.fine_tuning import FineTuning

    start = Fitting("svm", task.C, "none", False, task.folds, task.seed).run(
        _rows(joined.blocks, slice(len(train))), train.labels
    )
    ((name, (layer,)),) = start.layers.items()
    spec = BACKBONES[name]
    tuning = FineTuning(task.tune, task.epochs, rate=task.rate, engine=task.forward, device=task.device, seed=task.seed)
    tuned = yield from tuning.run(spec(task.weights), layer, start.head, (train.files, train.labels))
    look = Extractor(spec, (layer,), flip=task.flip, engine=task.forward, device=task.device, backbone=tuned.backbone)
    extraction = yield from look.run(test.files)
    nothing = np.empty((0, tuned.head.weights.shape[1]), np.float32)  # when no image of the test part can be read
    odds = tuned.head.probabilities(extraction.features.get(layer, nothing))
    outcome = Outcome(test, odds, {**_chosen(start, "fine-tune"), "curve_epoch": tuned.curve})
    members = [{"backbone": name, "layers": [layer], "weights": None, "network": "network.safetensors"}]
    return outcome, [_network(task, tuned, outcome), _head(task, tuned.head, members, outcome, "none")]


def _rows(blocks: Blocks, rows: slice) -> Blocks:
    return {name: {layer: block[rows] for layer, block in layers.items()} for name, layers in blocks.items()}


def _chosen(fitted: Fitted, head: str) -> dict[str, Any]:
    layers = ",".join("+".join(chosen) for chosen in fitted.layers.values())
    choice = {"backbone": ",".join(fitted.layers), "layer": layers, "C": fitted.C, "head": head}
    return {"choice": choice, "curve_C": fitted.curve_C, "curve_layer": fitted.curve_layer}


def _head(task: Transfer, head: LinearHead, members: list[dict[str, Any]], outcome: Outcome, scaling: str) -> Weights:
    name = _name(task, outcome)
    description = {
        "name": name,
        "members": members,
        "scaling": scaling,
        "flip": task.flip,
        "classes": list(outcome.test.classes),
    }
    return Weights("head", head.tensors(), description, model_card(name, outcome.figures()))


def _network(task: Transfer, tuned: Tuned, outcome: Outcome) -> Weights:
    name = _name(task, outcome)
    tensors = {key: tensor.numpy() for key, tensor in tuned.backbone.network.state_dict().items()}
    return Weights("network", tensors, {"name": name}, model_card(name, outcome.figures()))


def _name(task: Transfer, outcome: Outcome) -> str:
    return f"{outcome.chosen['choice']['backbone']} on {Path(task.folder).name}"
