"""Table, figure and summary of predictions, for `classify` and `predict`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from vitrail.errors import MissingExtra
from vitrail.events import Event, Note, Plot, Summary, Table
from vitrail.formatting import count, percent
from vitrail.image_files import display_name

IMAGES_DRAWN = 12


def report(
    files: Sequence[Path], images: Sequence[Mapping[str, Any]], skipped: int, next_steps: Sequence[str]
) -> Iterator[Event]:
    """One row for each image and class, a figure of the first images, and the summary.

    Args:
        files: of `images`, which are as in `result.json`.
        skipped: number of images that could not be read.
    """
    rows = [(entry["file"], guess["name"], guess["probability"]) for entry in images for guess in entry["top"]]
    yield Table("predictions", "Predictions", ("image", "class", "probability"), rows)
    try:
        yield _bars(files, images)
    except MissingExtra as error:
        yield Note(f"{error} No figure was drawn.", "missing-extra")
    lines = [("images", count(len(images), "image") + (f", {skipped} skipped" if skipped else ""))]
    if len(images) == 1:
        best = images[0]["top"][0]
        lines.append(("class", f"{best['name']} ({percent(best['probability'])})"))
    else:
        doubtful = min(images, key=lambda entry: float(entry["top"][0]["probability"]))
        best = doubtful["top"][0]
        lines.append(
            ("least certain", f"{Path(doubtful['file']).name}: {best['name']} ({percent(best['probability'])})")
        )
    yield Summary(lines, next_steps)


def _bars(files: Sequence[Path], images: Sequence[Mapping[str, Any]]) -> Plot:
    from vitrail.plots import Guess, load_thumbnail, top_bars

    guesses = []
    for file, entry in list(zip(files, images, strict=True))[:IMAGES_DRAWN]:
        names = [guess["name"] for guess in entry["top"]]
        probabilities = [guess["probability"] for guess in entry["top"]]
        guesses.append(Guess(load_thumbnail(file), names, probabilities, display_name(file.name)))
    return Plot("classes", "The most probable classes", top_bars(guesses))
