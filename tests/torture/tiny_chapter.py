"""A chapter of `vitrail reproduce` whose parts take a moment each: a classifier, maps made with it, and a GAN."""

from collections.abc import Mapping
from typing import Any

from vitrail.tasks.reproduce_material import Material
from vitrail.tasks.reproduce_plan import Chapter, Compared, Said, Section, Wanted

GAN = {
    "size": 16,
    "epochs": 2,
    "batch": 12,
    "width": 4,
    "eval_samples": 12,
    "final_eval_samples": 12,
    "autotune": False,
}


def chapter(material: Material) -> Chapter:
    """Stripes in `scene15`, told apart and made."""
    cache, classifier = material.run / "cache", material.run / "parts" / "svm"
    seen = {"folder": material.data / "scene15", "backbone": ("tiny",), "forward": "eager", "cache": cache / "features"}
    shown = {"images": (material.data / "scene15" / "test",), "backbone": (str(classifier),)}
    made = {"data": str(material.data / "scene15"), "cache": cache, **GAN}
    sections = [
        Section("Told apart", [Wanted("svm").run("transfer", ("confusion",), **seen)], say("svm")),
        Section("Looked into", [Wanted("maps").run("explain", ("maps",), ("svm",), **shown)], say("maps")),
        Section("Made", [Wanted("gan").run("gan-train", ("samples",), **made)], say("gan")),
    ]
    return Chapter("tp7", "A small chapter", sections)


def say(name: str) -> Any:
    """What a section of one part comes to: which figures it has."""

    def of(results: Mapping[str, Any]) -> Said:
        return Said([f"{name}: {', '.join(sorted(results[name]))}."], [Compared("figures", len(results[name]))])

    return of
