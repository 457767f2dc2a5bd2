"""What `classify` and `predict` say of images."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from vitrail.errors import MissingExtra
from vitrail.events import Note, Plot, Table
from vitrail.image_files import display_name

IMAGES_DRAWN = 12


def answers(files: Sequence[Path], probabilities: np.ndarray, names: Sequence[str], top: int) -> list[dict[str, Any]]:
    """The likeliest classes of each image, as `result.json` has them."""
    order = np.argsort(-probabilities, axis=1, kind="stable")[:, :top]
    return [
        {
            "file": display_name(file),
            "top": [{"index": int(k), "name": names[k], "probability": float(row[k])} for k in best],
        }
        for file, row, best in zip(files, probabilities, order, strict=True)
    ]


def shown(files: Sequence[Path], found: Sequence[dict[str, Any]]) -> Iterator[Table | Plot | Note]:
    """A table of all answers, and an image with bars of the first ones."""
    rows = [
        (Path(entry["file"]).name, guess["name"], f"{guess['probability']:.1%}")
        for entry in found
        for guess in entry["top"]
    ]
    yield Table("classes", "What is in the images", ("image", "class", "probability"), rows)
    try:
        yield _bars(files, found)
    except MissingExtra as error:
        yield Note(f"{error} No figure was drawn.")


def _bars(files: Sequence[Path], found: Sequence[dict[str, Any]]) -> Plot:
    from vitrail.plots import Guess, load_thumbnail, top_bars

    guesses = []
    for file, entry in list(zip(files, found, strict=True))[:IMAGES_DRAWN]:
        names = [guess["name"] for guess in entry["top"]]
        chances = [guess["probability"] for guess in entry["top"]]
        guesses.append(Guess(load_thumbnail(file), names, chances, display_name(file.name)))
    return Plot("classes", "The likeliest classes", top_bars(guesses))
