"""Means over all edited images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

Entries = Sequence[Mapping[str, Any]]
"""Edited images, as `EditMetrics.measure` gives them."""

JudgeAccuracy = Mapping[str, tuple[float | None, float | None]]
"""Attribute -> share of real images without it and with it that the judge sees rightly; None: there is none."""


def edit_means(entries: Entries, edits: Mapping[str, bool], judge_accuracy: JudgeAccuracy) -> dict[str, Any]:
    """Means over all images, as in `result.json`; None for what was not measured.

    Args:
        edits: attribute -> whether it is set.
    """
    identities = [entry["identity"] for entry in entries if entry["identity"] is not None]
    return {
        "n": len(entries),
        "reconstruction_error": _mean([entry["reconstruction_error"] for entry in entries]),
        "encoder_error": _mean([entry["encoder_error"] for entry in entries]),
        "identity_ratio": _mean([each["ratio"] for each in identities if each["ratio"] is not None]),
        "success_rate": _mean([float(entry["success"]) for entry in entries if entry["judge"]]),
        "changed": _changed([entry["judge"] for entry in entries if entry["judge"]], edits, judge_accuracy),
    }


def _changed(judged: Entries, edits: Mapping[str, bool], judge_accuracy: JudgeAccuracy) -> dict[str, dict[str, Any]]:
    """For each edit, over the images that the judge saw otherwise before: their number, and that of successes.

    `judge_accuracy`: share of real images with this value in which the judge sees it.
    """
    changed = {}
    for name, value in edits.items() if judged else ():
        others = [each for each in judged if (each["before"][name] > 0.5) != value]
        succeeded = sum((each["after"][name] > 0.5) == value for each in others)
        changed[name] = {"n": len(others), "succeeded": succeeded, "judge_accuracy": judge_accuracy[name][value]}
    return changed


def _mean(values: Sequence[float]) -> float | None:
    return sum(values) / len(values) if values else None
