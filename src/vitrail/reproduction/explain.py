"""The second lab: saliency maps, adversarial images, class visualisation."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

from vitrail.reproduction.explain_findings import (
    attack_findings,
    region_findings,
    saliency_findings,
    visualise_findings,
)
from vitrail.reproduction.inputs import Inputs
from vitrail.reproduction.plan import Chapter, Section, Step, StepRequest

FIRST = "squeezenet"
TARGET = "tarantula"
LAB = "gradient-ascent"  # the lab's own attack; its step size of 0.5 is in units of the normalised image


def explain_chapter(inputs: Inputs) -> Chapter:
    """The chapter on network visualisation."""
    saliency = [_saliency(inputs, name) for name in (FIRST, inputs.second)]
    sections = [
        Section("Saliency, and where it misleads", saliency, saliency_findings),
        Section("Weak segmentation", [_with(step, ("regions",)) for step in saliency], region_findings),
        Section(f"Adversarial images: classified as {TARGET}", _attacked(inputs), attack_findings),
        Section(f"What a {TARGET} looks like", _visualised(inputs), visualise_findings),
    ]
    return Chapter("explain", "Network visualisation (TP8)", sections, _note(inputs))


def _note(inputs: Inputs) -> str:
    if inputs.second == "vgg16":
        return ""
    return (
        f"The report's second network is VGG16; its weights are not on this machine, so {inputs.second} "
        "is used in its place."
    )


def _with(step: Step, shows: tuple[str, ...]) -> Step:
    return Step(step.name, step.kind, step.task, step.missing, shows)


def _request(inputs: Inputs, name: str, backbone: str) -> StepRequest:
    return StepRequest(name, inputs.without_weights(backbone) or inputs.without_photographs)


def _images(inputs: Inputs, count: int) -> tuple[Path, ...]:
    return () if inputs.without_photographs else inputs.photographs(count)


def _saliency(inputs: Inputs, backbone: str) -> Step:
    return _request(inputs, f"saliency-{backbone}", backbone).run(
        "explain",
        ("maps",),
        images=_images(inputs, inputs.budget.explained),
        method=("gradient",),
        backbone=(backbone,),
        weights=inputs.weights_of(backbone),
        segment=True,
        **inputs.drawn,
    )


def _attacked(inputs: Inputs) -> list[Step]:
    settings: dict[str, Any] = {
        "images": _images(inputs, inputs.budget.attacked),
        "target": (TARGET,),
        "backbone": FIRST,
        **inputs.drawn,
    }
    return [
        _request(inputs, "attacked-as-in-the-lab", FIRST).run(
            "attack", ("adversarial", "path"), method=LAB, step_size=0.5, **settings
        ),
        _request(inputs, "attacked-by-the-least", FIRST).run(
            "attack", ("adversarial",), method="minimal-l2", **settings
        ),
    ]


def _visualised(inputs: Inputs) -> list[Step]:
    few, many = inputs.budget.visualise_steps
    start = _images(inputs, 1)
    ascend = partial(_ascent, inputs)
    return [
        ascend("from-noise", FIRST, steps=few, step_size=5.0),
        ascend("from-noise-longer", FIRST, steps=many, step_size=10.0, l2=1e-2),
        ascend("from-an-image", FIRST, steps=few, step_size=5.0, **({"start": str(start[0])} if start else {})),
        ascend(f"from-noise-{inputs.second}", inputs.second, steps=few, step_size=5.0),
    ]


def _ascent(inputs: Inputs, name: str, backbone: str, **settings: Any) -> Step:
    missing = inputs.without_weights(backbone)
    if name == "from-an-image":
        missing = missing or inputs.without_photographs
    return StepRequest(name, missing).run(
        "visualise",
        ("*_strip",),
        classes=(TARGET,),
        method="pixels",
        backbone=backbone,
        weights=inputs.weights_of(backbone),
        **inputs.drawn,
        **settings,
    )
