"""One training beside others: its metrics, their baselines, and its cost."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict

from vitrail.gan.generator import Generator
from vitrail.gan.networks import build, trained_parameters
from vitrail.gan.results import Values, alarm_counts, distance_name, metric
from vitrail.settings import parse_model


class _Strict(BaseModel):
    model_config = ConfigDict(strict=True)


class _Extractor(_Strict):
    sha256: str


class _Metric(_Strict):
    name: str
    label: str
    value: float | None
    baseline: float | None
    n: int
    extractor: _Extractor


class _Alarm(_Strict):
    name: str


class _Judge(_Strict):
    accuracy: float


class _Result(_Strict):
    """What a comparison takes from a `result.json`."""

    metrics: list[_Metric]
    label_agreement: float | None
    architecture: str
    loss: str
    epochs: int
    alarms: list[_Alarm]
    images_per_second: float | None
    seconds: dict[str, float | None]
    judge: _Judge | None = None
    parameters: dict[str, int] | None = None


def check_comparable(result: Values) -> None:
    """Returns if a result can be compared.

    Raises:
        ValueError: a value is missing or of another type; the first thing that is wrong.
    """
    parse_model(_Result, result)


def comparison_row(name: str, result: Values, generator: Generator | None) -> dict[str, Any]:
    """The values of one training, as `result.json` of a comparison has them.

    Args:
        name: of the run.
        result: its `result.json`, see `check_comparable`.
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
