"""The first lab: features of a network that was trained on something else, and a linear SVM on 15 kinds of scenes."""

from __future__ import annotations

import io
from functools import partial
from pathlib import Path
from typing import Any

from vitrail.backbones.imagenet import imagenet_classes
from vitrail.errors import BadImage
from vitrail.files import write_bytes
from vitrail.image_files import read_bytes
from vitrail.image_headers import open_image
from vitrail.reproduction.inputs import Inputs
from vitrail.reproduction.plan import Chapter, Section, Step, StepRequest
from vitrail.reproduction.transfer_findings import (
    GREY,
    classify_findings,
    grayscale_findings,
    head_findings,
    layer_findings,
    parameter_findings,
    svm_findings,
)

SCENES = "scene15"
LAYER = {"vgg16": "relu7", "alexnet": "relu7", "squeezenet": "fire9", "efficientnet-lite0": "pool"}
"""Networks of the table, and the layer that the SVM is taught: the report's, or the deepest below the classes."""

C = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0)

NOTE = (
    "The SVM is taught features of length 1, as in the lab. C and layers are chosen by cross-validation on the "
    "training part, so the curves are those of left-out training images; the test part is looked at once, at the end."
)


def transfer_chapter(inputs: Inputs) -> Chapter:
    """The chapter on transfer learning."""
    scenes = {name: _svm(inputs, name) for name in LAYER}
    sections = [
        Section("VGG16, layer by layer", [StepRequest("vgg16-layers").run("models", name="vgg16")], parameter_findings),
        Section("Five guesses", _classified(inputs), partial(classify_findings, truth=inputs.truth)),
        Section("Which layer", [_layers(inputs)], layer_findings),
        Section("From grey to three channels", _grayscale(inputs), partial(grayscale_findings, truth=inputs.truth)),
        Section("A linear SVM on 15 scenes", list(scenes.values()), svm_findings),
        Section(
            "The network alone against the SVM", _heads(inputs), partial(head_findings, known=tuple(imagenet_classes()))
        ),
    ]
    return Chapter("transfer", "TP7: transfer learning", sections, NOTE)


def _request(inputs: Inputs, name: str, backbone: str, folder: str = SCENES) -> StepRequest:
    missing = inputs.missing(folder) if folder else inputs.without_photographs
    return StepRequest(name, inputs.without_weights(backbone) or missing)


def _classified(inputs: Inputs) -> list[Step]:
    return [
        _request(inputs, f"named-{backbone}", backbone, "").run(
            "classify",
            ("classes",) if backbone == inputs.second else (),  # one network's bars are enough to look at
            images=_or_none(inputs, inputs.budget.classified),
            backbone=backbone,
            weights=inputs.weights_of(backbone),
            device=inputs.device,
        )
        for backbone in LAYER
    ]


def _or_none(inputs: Inputs, count: int) -> tuple[Path, ...]:
    return () if inputs.without_photographs else inputs.photographs(count)


def _transfer(inputs: Inputs, name: str, backbone: str, shows: tuple[str, ...], **settings: Any) -> Step:
    return _request(inputs, name, backbone).run(
        "transfer",
        shows,
        folder=inputs.data / SCENES,
        backbone=(backbone,),
        weights=inputs.weights_of(backbone),
        cache=inputs.cache / "features",
        **inputs.drawn,
        **settings,
    )


def _layers(inputs: Inputs) -> Step:
    backbone = inputs.second
    return _transfer(inputs, f"layers-{backbone}", backbone, ("curve_layer",))


def _svm(inputs: Inputs, backbone: str) -> Step:
    # Nothing is read from the cache: the report's time is that of the whole way too.
    layer = (LAYER[backbone],)
    return _transfer(
        inputs, f"svm-{backbone}", backbone, ("curve_C",), layer=layer, C=C, feature_scaling="unit", use_cache=False
    )


def _heads(inputs: Inputs) -> list[Step]:
    backbone, fine_tuned = inputs.second, dict(inputs.budget.fine_tuned)
    (name,) = fine_tuned.pop("backbone")
    logistic = _transfer(
        inputs,
        f"logistic-{backbone}",
        backbone,
        (),
        layer=(LAYER[backbone],),
        feature_scaling="unit",
        head="logistic",
    )
    fine = _transfer(inputs, f"tuned-{name}", name, ("curve_epoch",), head="fine-tune", **fine_tuned)
    return list({step.name: step for step in (_svm(inputs, backbone), logistic, _svm(inputs, name), fine)}.values())


def _grayscale(inputs: Inputs) -> list[Step]:
    backbone, count = inputs.second, inputs.budget.grayscale
    colour, grey = _or_none(inputs, count), inputs.run / GREY
    network: dict[str, Any] = {"backbone": backbone, "weights": inputs.weights_of(backbone), "device": inputs.device}
    wanted = partial(_request, inputs, backbone=backbone, folder="")
    if colour and not wanted(name="").missing:
        colour = tuple(grayscale_copies(colour, grey))
    steps = {"in-colour": _or_none(inputs, count), "in-grey": colour}
    return [
        wanted(name=f"{name}-{backbone}").run("classify", images=images, **network) for name, images in steps.items()
    ]


def grayscale_copies(images: tuple[Path, ...], folder: Path) -> list[Path]:
    """Copies without colour, PNG files of one channel, called `NAME.png` after the whole names of the images.

    Those that cannot be read are left out.
    """
    copies = []
    for path in images:
        copy = folder / f"{path.name}.png"
        try:
            if not copy.exists():
                write_bytes(copy, _to_grayscale(path), within=folder)
        except BadImage:
            continue
        copies.append(copy)
    return copies


def _to_grayscale(path: Path) -> bytes:
    out = io.BytesIO()
    with open_image(read_bytes(path), path.name).image as image:
        image.convert("L").save(out, "PNG")
    return out.getvalue()
