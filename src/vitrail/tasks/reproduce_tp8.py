"""The second lab: what a network looks at, how easily it is fooled, and what it believes a class looks like."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

from vitrail.tasks.reproduce_material import Material
from vitrail.tasks.reproduce_plan import Chapter, Part, Section, Wanted
from vitrail.tasks.reproduce_tp8_said import say_fooled, say_regions, say_saliency, say_visualised

FIRST = "squeezenet"
TARGET = "tarantula"
LAB = "gradient-ascent"  # the lab's own way of fooling; its step of 0.5 is in units of the prepared image


def tp8(material: Material) -> Chapter:
    """The chapter on looking into networks."""
    saliency = [_saliency(material, name) for name in (FIRST, material.second)]
    sections = [
        Section("Saliency, and where it misleads", saliency, say_saliency),
        Section("Weak segmentation", [_with(part, ("regions",)) for part in saliency], say_regions),
        Section(f"Fooling: taken for a {TARGET}", _fooled(material), say_fooled),
        Section(f"What a {TARGET} looks like", _visualised(material), say_visualised),
    ]
    return Chapter("tp8", "TP8: looking into networks", sections, _note(material))


def _note(material: Material) -> str:
    if material.second == "vgg16":
        return ""
    return (
        f"The report's second network is VGG16; its weights are not on this machine, so {material.second} stands in "
        "for it."
    )


def _with(part: Part, shows: tuple[str, ...]) -> Part:
    return Part(part.name, part.kind, part.task, part.missing, shows)


def _wanted(material: Material, name: str, backbone: str) -> Wanted:
    return Wanted(name, material.without_weights(backbone) or material.without_photographs)


def _images(material: Material, count: int) -> tuple[Path, ...]:
    return () if material.without_photographs else material.photographs(count)


def _saliency(material: Material, backbone: str) -> Part:
    return _wanted(material, f"saliency-{backbone}", backbone).run(
        "explain",
        ("maps",),
        images=_images(material, material.sizes.explained),
        method=("gradient",),
        backbone=(backbone,),
        weights=material.weights_of(backbone),
        segment=True,
        **material.drawn,
    )


def _fooled(material: Material) -> list[Part]:
    settings: dict[str, Any] = {
        "images": _images(material, material.sizes.fooled),
        "target": (TARGET,),
        "backbone": FIRST,
        **material.drawn,
    }
    return [
        _wanted(material, "fooled-as-in-the-lab", FIRST).run(
            "fool", ("fooled", "path"), method=LAB, rate=0.5, **settings
        ),
        _wanted(material, "fooled-by-the-least", FIRST).run("fool", ("fooled",), method="minimal-l2", **settings),
    ]


def _visualised(material: Material) -> list[Part]:
    few, many = material.sizes.ascents
    start = _images(material, 1)
    ascend = partial(_ascent, material)
    return [
        ascend("from-noise", FIRST, steps=few, step_size=5.0),
        ascend("from-noise-longer", FIRST, steps=many, step_size=10.0, l2=1e-2),
        ascend("from-a-image", FIRST, steps=few, step_size=5.0, **({"start": str(start[0])} if start else {})),
        ascend(f"from-noise-{material.second}", material.second, steps=few, step_size=5.0),
    ]


def _ascent(material: Material, name: str, backbone: str, **settings: Any) -> Part:
    missing = material.without_weights(backbone)
    if name == "from-a-image":
        missing = missing or material.without_photographs
    return Wanted(name, missing).run(
        "visualise",
        ("*_strip",),
        classes=(TARGET,),
        method="pixels",
        backbone=backbone,
        weights=material.weights_of(backbone),
        **material.drawn,
        **settings,
    )
