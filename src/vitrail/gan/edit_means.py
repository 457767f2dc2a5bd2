"""Means over all edited images."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

from vitrail.formatting import percent

SHOWN = 4  # edits in the summary

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


def success_lines(changed: Mapping[str, Mapping[str, Any]]) -> Iterator[tuple[str, str]]:
    """Lines of a summary: of the first edits, how many images the judge sees changed.

    Args:
        changed: see `edit_means`.
    """
    if not changed:
        yield "success", "not measured"
    for name, values in islice(changed.items(), SHOWN):
        accuracy = values["judge_accuracy"]
        real = "no held-out image is so" if accuracy is None else f"judge on real images: {percent(accuracy)}"
        yield f"success, {name}", f"{values['succeeded']} of {values['n']} changed ({real})"


def strength_line(entries: Entries) -> str:
    """Which strengths were needed, and in how many images the edit shows."""
    least, most = (pick(each["strength"] for each in entries) for pick in (min, max))
    span = f"{least:g}" if least == most else f"{least:g} to {most:g}"
    return (
        f"{span}; the encoder of attributes sees the edit in {sum(each['seen'] for each in entries)} of {len(entries)}"
    )


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
