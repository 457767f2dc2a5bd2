"""What the results of several trainings say, arranged so that they can be set side by side."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from vitrail.events import Note

Figures = Mapping[str, Any]


def metric(result: Figures, name: str) -> Figures:
    """One entry of a result's `metrics`; empty where it was not measured."""
    return next((entry for entry in result["metrics"] if entry["name"] == name), {})


def distance_name(result: Figures) -> str:
    """`FD[judge@1234abcd, 128, 1000]`: the Fréchet distance with its network, dimension and number of images."""
    return str(metric(result, "frechet-distance").get("label", "FD"))


def distances(results: Sequence[Figures]) -> tuple[tuple[str, ...], list[tuple[Any, ...]]]:
    """Columns of the Fréchet distance and its floor, and a row of them for each result.

    The first column says what it was measured with; where that differs, one more column does.
    """
    names = [distance_name(result) for result in results]
    found = [metric(result, "frechet-distance") for result in results]
    rows: list[tuple[Any, ...]] = [(entry.get("value"), entry.get("baseline")) for entry in found]
    if len(set(names)) == 1:
        return (names[0], "FD of real images"), rows
    return ("FD", "FD of real images", "measured as"), [(*row, name) for row, name in zip(rows, names, strict=True)]


def incomparable(results: Sequence[Figures]) -> Note | None:
    """Said where distances were not all measured by the same weights on as many images."""
    measures = [metric(result, "frechet-distance") for result in results]
    kinds = {(entry["extractor"]["sha256"], entry["n"]) for entry in measures if entry}
    if len(kinds) < 2:
        return None
    names = ", ".join(dict.fromkeys(map(distance_name, results)))
    return Note(
        f"Distances, coverage and novelty of these runs cannot be compared, as they were measured in different ways: "
        f"{names}; runs with the same images, --seed, --feature-extractor and --final-eval-samples can."
    )


def alarms_in_words(alarms: Iterable[Figures]) -> str:
    """`mode-collapse ×2, copies`; nothing where none was raised."""
    counts = Counter(str(alarm["name"]) for alarm in alarms)
    return ", ".join(name if count == 1 else f"{name} ×{count}" for name, count in counts.items())
