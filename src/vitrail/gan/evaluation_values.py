"""What evaluations of generated images found, as `result.json` has it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from vitrail.metrics.sample_evaluation import SampleEvaluation, SampleMetrics


def evaluation_values(measured: Sequence[tuple[SampleEvaluation, SampleMetrics]], device: str) -> dict[str, Any]:
    """Keys of `result.json` that every evaluation has: the networks, their certificates, and what they measured.

    Args:
        measured: the same images in the features of each network, the main one first.
    """
    evaluation, metrics = measured[0]
    extractors = [each.extractor for each, _ in measured]
    certificates = [each.certificate_values() for each, _ in measured]
    judge = evaluation.judge
    values: dict[str, Any] = {
        "backbone": [{"name": each.name, "sha256": each.weights_sha256} for each in extractors],
        "device": device,
        "judge": None if judge is None else judge.values(),
        "metrics": [entry for each, found in measured for entry in each.entries(found)],
        "scale": None if metrics.scale is None else vars(metrics.scale),
        **certificates[0],
        "label_agreement": metrics.label_agreement,
        "label_agreement_per_name": metrics.per_name,
        "alarms": [],
    }
    for key in ("certificate", "refused"):
        values[key] = [entry for each in certificates for entry in each.get(key, [])]
    if judge is not None and judge.refusal():
        refused = {"name": "label-agreement", "extractor": judge.name, "misses": [], "reason": judge.refusal()}
        values["refused"].append(refused)
    return values
