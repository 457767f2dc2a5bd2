"""The first lab: features of a network that was trained on something else, and a linear SVM on 15 kinds of scenes."""

from __future__ import annotations

import io
from functools import partial
from pathlib import Path
from typing import Any

from vitrail.backbones.imagenet import imagenet_classes
from vitrail.errors import BadImage
from vitrail.files import write_bytes
from vitrail.image_files import open_image, read_bytes
from vitrail.tasks.reproduce_material import Material
from vitrail.tasks.reproduce_plan import Chapter, Part, Section, Wanted
from vitrail.tasks.reproduce_tp7_said import (
    GREY,
    say_grey,
    say_heads,
    say_layers,
    say_named,
    say_parameters,
    say_svm,
)

SCENES = "scene15"
LAYER = {"vgg16": "relu7", "alexnet": "relu7", "squeezenet": "fire9", "efficientnet-lite0": "pool"}
"""Networks of the table, and the layer that the SVM is taught: the report's, or the deepest below the classes."""

C = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0)

NOTE = (
    "The SVM is taught features of length 1, as in the lab. C and layers are chosen by cross-validation on the "
    "training part, so the curves are those of left-out training images; the test part is looked at once, at the end."
)


def tp7(material: Material) -> Chapter:
    """The chapter on transfer learning."""
    scenes = {name: _svm(material, name) for name in LAYER}
    sections = [
        Section("VGG16, layer by layer", [Wanted("vgg16-layers").run("models", name="vgg16")], say_parameters),
        Section("Five guesses", _named(material), partial(say_named, truth=material.truth)),
        Section("Which layer", [_layers(material)], say_layers),
        Section("From grey to three channels", _grey(material), partial(say_grey, truth=material.truth)),
        Section("A linear SVM on 15 scenes", list(scenes.values()), say_svm),
        Section(
            "The network alone against the SVM", _heads(material), partial(say_heads, known=tuple(imagenet_classes()))
        ),
    ]
    return Chapter("tp7", "TP7: transfer learning", sections, NOTE)


def _wanted(material: Material, name: str, backbone: str, folder: str = SCENES) -> Wanted:
    missing = material.missing(folder) if folder else material.without_photographs
    return Wanted(name, material.without_weights(backbone) or missing)


def _named(material: Material) -> list[Part]:
    return [
        _wanted(material, f"named-{backbone}", backbone, "").run(
            "classify",
            ("classes",) if backbone == material.second else (),  # one network's bars are enough to look at
            images=_or_none(material, material.sizes.named),
            backbone=backbone,
            weights=material.weights_of(backbone),
            device=material.device,
        )
        for backbone in LAYER
    ]


def _or_none(material: Material, count: int) -> tuple[Path, ...]:
    return () if material.without_photographs else material.photographs(count)


def _transfer(material: Material, name: str, backbone: str, shows: tuple[str, ...], **settings: Any) -> Part:
    return _wanted(material, name, backbone).run(
        "transfer",
        shows,
        folder=material.data / SCENES,
        backbone=(backbone,),
        weights=material.weights_of(backbone),
        cache=material.cache / "features",
        **material.drawn,
        **settings,
    )


def _layers(material: Material) -> Part:
    backbone = material.second
    return _transfer(material, f"layers-{backbone}", backbone, ("curve_layer",))


def _svm(material: Material, backbone: str) -> Part:
    # Nothing is read from the cache: the report's time is that of the whole way too.
    layer = (LAYER[backbone],)
    return _transfer(
        material, f"svm-{backbone}", backbone, ("curve_C",), layer=layer, C=C, feature_scaling="unit", use_cache=False
    )


def _heads(material: Material) -> list[Part]:
    backbone, tuned = material.second, dict(material.sizes.tuned)
    (name,) = tuned.pop("backbone")
    logistic = _transfer(
        material,
        f"logistic-{backbone}",
        backbone,
        (),
        layer=(LAYER[backbone],),
        feature_scaling="unit",
        head="logistic",
    )
    fine = _transfer(material, f"tuned-{name}", name, ("curve_epoch",), head="fine-tune", **tuned)
    return list({part.name: part for part in (_svm(material, backbone), logistic, _svm(material, name), fine)}.values())


def _grey(material: Material) -> list[Part]:
    backbone, count = material.second, material.sizes.greyed
    colour, grey = _or_none(material, count), material.run / GREY
    said: dict[str, Any] = {"backbone": backbone, "weights": material.weights_of(backbone), "device": material.device}
    wanted = partial(_wanted, material, backbone=backbone, folder="")
    if colour and not wanted(name="").missing:
        colour = tuple(grey_copies(colour, grey))
    parts = {"in-colour": _or_none(material, count), "in-grey": colour}
    return [wanted(name=f"{name}-{backbone}").run("classify", images=images, **said) for name, images in parts.items()]


def grey_copies(images: tuple[Path, ...], folder: Path) -> list[Path]:
    """Copies without colour, PNG files of one channel, called `NAME.png` after the whole names of the images.

    Those that cannot be read are left out.
    """
    copies = []
    for path in images:
        copy = folder / f"{path.name}.png"
        try:
            if not copy.exists():
                write_bytes(copy, _in_grey(path))
        except BadImage:
            continue
        copies.append(copy)
    return copies


def _in_grey(path: Path) -> bytes:
    out = io.BytesIO()
    with open_image(read_bytes(path), path.name) as image:
        image.convert("L").save(out, "PNG")
    return out.getvalue()
