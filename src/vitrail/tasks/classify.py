"""Pictures in, names and percentages out."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from vitrail.backbones import BACKBONES
from vitrail.backbones.recipe import Recipe
from vitrail.errors import BadPicture, MissingExtra
from vitrail.events import Event, Note, Picture, Result, Table
from vitrail.image_files import display_name, find_pictures
from vitrail.settings import Task, setting
from vitrail.transfer.features import Extractor, shown_skips

PICTURES_DRAWN = 12


class Classify(Task):
    """Name what is in pictures: the classes a pretrained network finds likeliest."""

    pictures: tuple[Path, ...] = setting(..., "Pictures, folders of pictures, or patterns", positional=True)
    backbone: str = setting("efficientnet-lite0", "Network, by name")
    top: int = setting(5, "How many classes to show", ge=1)
    weights: Path | None = setting(None, "Weights file (safetensors, or a torch state dict)")
    device: str = setting("auto", "Device: auto, cpu, cuda, cuda:1")

    def run(self) -> Iterator[Event]:
        """Yields a table and a picture with bars; the last event is the `Result`."""
        from scipy.special import softmax  # noqa: PLC0415  (imported when it runs)

        from vitrail.backbones.imagenet import imagenet_classes  # noqa: PLC0415  (imported when it runs)

        started = time.perf_counter()
        recipe: Recipe = BACKBONES[self.backbone]
        files = find_pictures(self.pictures)
        extraction = yield from Extractor(recipe, ("logits",), self.weights, device=self.device).run(files)
        skipped = shown_skips(extraction.skipped)
        if not len(extraction.kept):
            raise BadPicture(f"No picture could be read; the first one: {skipped[0]['reason']}")
        read = [files[index] for index in extraction.kept]
        names = imagenet_classes() if recipe.classes is None else recipe.classes
        figures = {
            "backbone": [{"name": recipe.name, "sha256": recipe.weights_sha256(self.weights)}],
            "device": self.device,
            "skipped": skipped,
        }
        found = answers(read, softmax(extraction.features["logits"].astype(np.float64), axis=1), names, self.top)
        yield from shown(read, found)
        for skip in skipped:
            yield Note(f"Skipped: {skip['reason']}")
        yield Result({**figures, "pictures": found, "seconds": {"total": time.perf_counter() - started}})


def answers(files: Sequence[Path], probabilities: np.ndarray, names: Sequence[str], top: int) -> list[dict[str, Any]]:
    """The likeliest classes of each picture, as `result.json` has them."""
    order = np.argsort(-probabilities, axis=1, kind="stable")[:, :top]
    return [
        {
            "file": display_name(file),
            "top": [{"index": int(k), "name": names[k], "probability": float(row[k])} for k in best],
        }
        for file, row, best in zip(files, probabilities, order, strict=True)
    ]


def shown(files: Sequence[Path], found: Sequence[dict[str, Any]]) -> Iterator[Table | Picture | Note]:
    """A table of all answers, and a picture with bars of the first ones."""
    rows = [
        (Path(entry["file"]).name, guess["name"], f"{guess['probability']:.1%}")
        for entry in found
        for guess in entry["top"]
    ]
    yield Table("classes", "What is in the pictures", ("picture", "class", "probability"), rows)
    try:
        yield _bars(files, found)
    except MissingExtra as error:
        yield Note(f"{error} No figure was drawn.")


def _bars(files: Sequence[Path], found: Sequence[dict[str, Any]]) -> Picture:
    from vitrail.pictures import Guess, load_thumbnail, top_bars  # noqa: PLC0415  (imports matplotlib, an extra)

    guesses = []
    for file, entry in list(zip(files, found, strict=True))[:PICTURES_DRAWN]:
        names = [guess["name"] for guess in entry["top"]]
        chances = [guess["probability"] for guess in entry["top"]]
        guesses.append(Guess(load_thumbnail(file), names, chances, display_name(file.name)))
    return Picture("classes", "The likeliest classes", top_bars(guesses))
