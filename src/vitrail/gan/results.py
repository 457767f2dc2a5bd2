"""What the results of GAN trainings say: metrics with their baselines, distances, alarms."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from vitrail.events import Note
from vitrail.formatting import count, number, percent

Values = Mapping[str, Any]
"""Content of a run's `result.json`, or a part of it."""

SUMMARY_METRICS = ("precision", "recall", "coverage")


def metric(result: Values, name: str) -> Values:
    """One entry of a result's `metrics`; empty where it was not measured."""
    return next((entry for entry in result["metrics"] if entry["name"] == name), {})


def distance_name(result: Values) -> str:
    """`FD[judge@1234abcd, 128, 1000]`: the Fréchet distance with its network, dimension and number of images."""
    return str(metric(result, "frechet-distance").get("label", "FD"))


def distances(results: Sequence[Values]) -> tuple[tuple[str, ...], list[tuple[Any, ...]]]:
    """Columns of the Fréchet distance and its baseline, and a row of them for each result.

    The first column's name says what was measured; if that differs between the results, there is one more column.
    """
    names = [distance_name(result) for result in results]
    entries = [metric(result, "frechet-distance") for result in results]
    rows: list[tuple[Any, ...]] = [(entry.get("value"), entry.get("baseline")) for entry in entries]
    if len(set(names)) == 1:
        return (names[0], "FD of real images"), rows
    return ("FD", "FD of real images", "measured as"), [(*row, name) for row, name in zip(rows, names, strict=True)]


def comparison_warning(results: Sequence[Values]) -> Note | None:
    """A warning if distances were not all measured with the same weights, number of images and real images."""
    entries = [metric(result, "frechet-distance") for result in results]
    measurements = {(entry["extractor"]["sha256"], entry["n"]) for entry in entries if entry}
    if len(measurements) < 2 and len(set(map(_real_images, results))) > 1:
        return Note(
            "Distances, coverage and novelty of these runs cannot be compared: they are those to different real "
            "images. Use runs on the same images.",
            "warning",
        )
    if len(measurements) < 2:
        return None
    names = ", ".join(dict.fromkeys(map(distance_name, results)))
    return Note(
        f"Distances, coverage and novelty of these runs cannot be compared; they were measured differently: {names}. "
        "Use runs with the same images, --seed, --feature-extractor and --final-eval-samples.",
        "warning",
    )


def _real_images(result: Values) -> tuple[Any, ...]:
    """What tells the images of one training from those of another; the same folder may have another path."""
    data = result.get("data") or {}
    return (Path(str(data.get("source"))).name, data.get("train"), data.get("held_out"), str(data.get("names")))


def alarm_counts(alarms: Iterable[Values]) -> str:
    """`mode-collapse ×2, copies`; empty without alarms."""
    counts = Counter(str(alarm["name"]) for alarm in alarms)
    return ", ".join(name if count == 1 else f"{name} ×{count}" for name, count in counts.items())


def distance_lines(named: Sequence[tuple[str, Values]], *, comparable: bool) -> Iterator[tuple[str, str]]:
    """Lines of a summary: the run with the smallest Fréchet distance, with its metrics; nothing if not comparable."""
    measured = [(name, result) for name, result in named if metric(result, "frechet-distance").get("value") is not None]
    if not comparable or not measured:
        yield "best run", "undefined: the distances cannot be compared" if measured else "undefined: no metrics"
        return
    name, best = min(measured, key=lambda entry: float(metric(entry[1], "frechet-distance")["value"]))
    distance, coverage = metric(best, "frechet-distance"), metric(best, "coverage")
    yield "best run", f"{name} (smallest Fréchet distance)"
    yield "Fréchet distance", f"{number(distance['value'])} (real images: {number(distance['baseline'])})"
    yield "measured as", distance_name(best)
    if coverage:
        yield "coverage", f"{percent(coverage['value'])} (real images: {percent(coverage['baseline'])})"
    yield "alarms", alarm_counts(best["alarms"]) or "none"


def metric_lines(metrics: Sequence[Mapping[str, Any]], values: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Lines of a summary: the main metrics, each with its baseline."""
    extractors = list(dict.fromkeys(entry["extractor"]["name"] for entry in metrics))
    by_name = {entry["name"]: entry for entry in metrics if entry["extractor"]["name"] == extractors[0]}
    for key, name in (("frechet-distance", "Fréchet distance"), ("kernel-distance", "kernel distance")):
        if distance := by_name.get(key):
            yield name, f"{number(distance['value'])} (real images: {number(distance['baseline'])})"
            break
    if metrics:
        yield "measured with", f"features of {extractors[0]}, {count(metrics[0]['n'], 'image')} on each side"
    if scale := values.get("scale"):
        yield "scale", scale["text"]
    elif metrics and metrics[0]["n"] < values.get("certificate_images", 0):
        yield "scale", f"needs {count(values['certificate_images'], 'image')} on each side; there are {metrics[0]['n']}"
    for name in SUMMARY_METRICS:
        if name in by_name:
            entry = by_name[name]
            yield name, f"{percent(entry['value'])} (real images: {percent(entry['baseline'])})"
    yield from _other_lines(metrics, extractors[1:])
    if values["label_agreement"] is not None:
        accuracy = values["judge"]["accuracy"]
        yield "label agreement", f"{percent(values['label_agreement'])} (real images: {percent(accuracy)})"
    yield from _refused_lines(values.get("refused") or (), extractors[:1])
    if values.get("uncertified"):
        yield "uncertified", str(values["uncertified"])


def _other_lines(metrics: Sequence[Mapping[str, Any]], extractors: Sequence[str]) -> Iterator[tuple[str, str]]:
    """A line for each further network: Fréchet distance and coverage in its features."""
    for extractor in extractors:
        found = {entry["name"]: entry for entry in metrics if entry["extractor"]["name"] == extractor}
        shown = (
            f"{name} {text(found[key]['value'])} (real images: {text(found[key]['baseline'])})"
            for key, name, text in (("frechet-distance", "FD", number), ("coverage", "coverage", percent))
            if key in found
        )
        yield f"with {extractor}", ", ".join(shown)


def _refused_lines(refused: Sequence[Mapping[str, Any]], extractors: Sequence[str]) -> Iterator[tuple[str, str]]:
    """What is not shown: metrics that a degradation deceives in the main network, and others with their reason."""
    deceived = [
        f"{entry['name']} (for {', '.join(entry['misses'])})"
        for entry in refused
        if entry["misses"] and entry["extractor"] in extractors
    ]
    if deceived:
        yield "not shown", f"{', '.join(deceived)}: cannot tell degraded real images"
    reasons: dict[str, list[str]] = {}
    for entry in refused:
        if not entry["misses"]:
            reasons.setdefault(str(entry["reason"]), []).append(str(entry["name"]))
    for reason, names in reasons.items():
        yield "not shown", f"{', '.join(dict.fromkeys(names)).replace('-', ' ')}: {reason}"


def alarm_names(alarms: Sequence[Mapping[str, Any]]) -> str:
    """The raised alarms: `mode-collapse (epoch 2, 3), copies (epoch 3)`."""
    epochs: dict[str, list[str]] = {}
    for alarm in alarms:
        epochs.setdefault(alarm["name"], []).append(str(alarm["epoch"]))
    ranges = {name: ", ".join(at) if len(at) <= 3 else f"{at[0]} to {at[-1]}" for name, at in epochs.items()}
    return ", ".join(f"{name} (epoch {text})" for name, text in ranges.items())
