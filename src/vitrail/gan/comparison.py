"""One training beside others: its metrics, their baselines, and its cost."""

from __future__ import annotations

from typing import Any

from vitrail.gan.generator import Generator
from vitrail.gan.networks import build, trained_parameters
from vitrail.gan.results import Values, alarm_counts, distance_name, metric

REQUIRED = ("metrics", "label_agreement", "architecture", "loss", "epochs", "alarms", "images_per_second", "seconds")
"""Keys of a result that can be compared."""


def comparison_row(name: str, result: Values, generator: Generator | None) -> dict[str, Any]:
    """The values of one training, as `result.json` of a comparison has them.

    Args:
        name: of the run.
        result: its `result.json`, with all of `REQUIRED`.
        generator: its generator, for the number of parameters; None where it cannot be loaded.
    """
    distance, coverage, novelty = (metric(result, key) for key in ("frechet-distance", "coverage", "novelty"))
    judge = result.get("judge") or {}
    return {
        "run": name,
        "architecture": result["architecture"],
        "conditional": result.get("conditional"),
        "loss": result["loss"],
        "epochs": result["epochs"],
        "distance": distance.get("value"),
        "distance_baseline": distance.get("baseline"),
        "measured_as": distance_name(result),
        "coverage": coverage.get("value"),
        "coverage_baseline": coverage.get("baseline"),
        "novelty": novelty.get("value"),
        "novelty_baseline": novelty.get("baseline"),
        "label_agreement": result["label_agreement"],
        "judge_accuracy": judge.get("accuracy"),
        "images_per_second": result["images_per_second"],
        "seconds_training": result["seconds"].get("training"),
        **_parameters(result, generator),
        "alarms": alarm_counts(result["alarms"]),
    }


def _parameters(result: Values, generator: Generator | None) -> dict[str, int | None]:
    """Numbers of trained parameters of generator and discriminator."""
    given = result.get("parameters")
    if given is None and generator is not None and "backbone" not in generator.description["arguments"]:
        given = trained_parameters(build(generator.description))  # an older run
    return {f"{network}_parameters": (given or {}).get(network) for network in ("generator", "discriminator")}
