"""A chapter of `vitrail reproduce` whose steps take a moment each: a classifier, maps made with it, and a GAN."""

from collections.abc import Mapping
from typing import Any

from vitrail.reproduction.inputs import Inputs
from vitrail.reproduction.plan import Chapter, Comparison, Findings, Section, StepRequest

GAN = {
    "size": 16,
    "epochs": 2,
    "batch": 12,
    "width": 4,
    "eval_samples": 12,
    "final_eval_samples": 12,
    "autotune": False,
}


def chapter(inputs: Inputs) -> Chapter:
    """Stripes in `scene15`, told apart and made."""
    cache, classifier = inputs.run / "cache", inputs.run / "steps" / "svm"
    seen = {
        "folder": inputs.data / "scene15",
        "backbone": ("tiny",),
        "inference_engine": "eager",
        "cache": cache / "features",
    }
    shown = {"images": (inputs.data / "scene15" / "test",), "backbone": (str(classifier),)}
    made = {"data": str(inputs.data / "scene15"), "cache": cache, **GAN}
    sections = [
        Section("Told apart", [StepRequest("svm").run("transfer", ("confusion",), **seen)], say("svm")),
        Section("Looked into", [StepRequest("maps").run("explain", ("maps",), ("svm",), **shown)], say("maps")),
        Section("Made", [StepRequest("gan").run("gan-train", ("samples",), **made)], say("gan")),
    ]
    return Chapter("transfer", "A small chapter", sections)


def say(name: str) -> Any:
    """What a section of one step comes to: which figures it has."""

    def of(results: Mapping[str, Any]) -> Findings:
        return Findings([f"{name}: {', '.join(sorted(results[name]))}."], [Comparison("figures", len(results[name]))])

    return of
