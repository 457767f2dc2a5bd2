"""Table, plot and summary of predictions, for `classify` and `predict`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from vitrail.datasets.data_card import DataCard
from vitrail.errors import MissingExtra
from vitrail.events import Event, Note, Plot, Summary, Table
from vitrail.formatting import percent
from vitrail.unique_names import distinct_names

IMAGES_DRAWN = 12
CLASSES_COUNTED = 5  # most frequent classes, in the summary


def report(
    files: Sequence[Path], images: Sequence[Mapping[str, Any]], listed: int, card: DataCard, next_steps: Sequence[str]
) -> Iterator[Event]:
    """A table, a plot of the first images, and the summary.

    Args:
        files: of `images`, which are as in `result.json`.
        listed: number of rows of each image, one for each class.
        card: of the images.
    """
    rows = [(entry["file"], top["name"], top["probability"]) for entry in images for top in entry["top"][:listed]]
    yield Table("predictions", "Predictions", ("image", "class", "probability"), rows)
    try:
        yield _bars(files, images)
    except MissingExtra as error:
        yield Note(f"{error} No plot was drawn.", "missing-extra")
    lines = [("images", card.line())]
    if len(images) == 1:
        best = images[0]["top"][0]
        lines.append(("class", f"{best['name']} ({percent(best['probability'])})"))
    else:
        counts = Counter(entry["top"][0]["name"] for entry in images).most_common(CLASSES_COUNTED)
        lines.append(("classes", ", ".join(f"{name}: {number:,}" for name, number in counts)))
        least = min(range(len(images)), key=lambda row: float(images[row]["top"][0]["probability"]))
        name, best = distinct_names([entry["file"] for entry in images])[least], images[least]["top"][0]
        lines.append(("least certain", f"{name}: {best['name']} ({percent(best['probability'])})"))
    yield Summary(lines, next_steps)


def _bars(files: Sequence[Path], images: Sequence[Mapping[str, Any]]) -> Plot:
    from vitrail.plots import Guess, load_tile, top_bars

    guesses = []
    captions = distinct_names([entry["file"] for entry in images[:IMAGES_DRAWN]])
    for file, entry, caption in zip(files, images, captions, strict=False):
        names = [guess["name"] for guess in entry["top"]]
        probabilities = [guess["probability"] for guess in entry["top"]]
        guesses.append(Guess(load_tile(file), names, probabilities, caption))
    return Plot("classes", "The most probable classes", top_bars(guesses))
