"""What `fool` keeps and shows: every fooled image as a PNG that was read back, figures of the first ones, a table."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from vitrail.errors import BadSetting, MissingExtra
from vitrail.events import Attachment, Event, Note, Plot, Table
from vitrail.formatting import percent
from vitrail.plots import Axis, Line, Panel, curve, magnified_difference, panels
from vitrail.plots.encode import encode_png
from vitrail.plots.labels import class_caption
from vitrail.tasks.fool_images import Fooled
from vitrail.tasks.kept_names import UniqueNames

DRAWN = 6  # images in the figures


class Report:
    """Collects fooled images.

    Attributes:
        images: as in `result.json`.
        skipped: images that could not be read, and why.
    """

    def __init__(self, magnify: float) -> None:
        self.magnify = magnify
        self.images: list[dict[str, Any]] = []
        self.skipped: list[dict[str, str]] = []
        self._rows: list[list[Panel]] = []
        self._lines: list[Line] = []
        self._names = UniqueNames()

    def add(self, fooled: Fooled, read_back: Callable[[bytes], dict[str, Any]]) -> Iterator[Event]:
        """Saves one image; what is said of it is what was read back from the file's own bytes."""
        name = self._names.free(f"{fooled.file.stem}_fooled")
        before, after = _upright(fooled.before), _upright(fooled.after)
        file = encode_png(after)
        result = read_back(file)
        entry = {**fooled.entry, "result": result}
        entry["success"] = entry["verified"] = not entry.get("already") and _reached(entry)
        if entry["success"]:
            entry["output"] = f"fooled/{name}.png"
            yield Attachment("fooled", f"{name}.png", file)
        self.images.append(entry)
        if len(self._rows) < DRAWN and not entry.get("already"):
            self._rows.append(self._row(before, after, entry))
            self._lines.append(Line(list(map(float, range(len(fooled.path)))), fooled.path, fooled.file.stem))

    def finished(self) -> Iterator[Event]:
        """A sentence, the table, and figures of the first images.

        Raises:
            BadSetting: there was nothing to do: every image is taken for its target already.
        """
        tried = [entry for entry in self.images if not entry.get("already")]
        for entry in self.images:
            if entry.get("already"):
                sentence = f"'{entry['file']}' is taken for {_sure(entry['source'])} already; choose another target."
                if not tried:
                    raise BadSetting(sentence)
                yield Note(sentence)
        held = sum(entry["verified"] for entry in tried)
        yield Note(f"{held} of {len(tried)} images fooled, each checked in its saved file.")
        columns = ("image", "was", "is taken for", "verified", "L2", "L∞", "SSIM", "forwards", "backwards")
        rows = [_cells(entry) for entry in self.images]
        yield Table("fooled", "Fooled images; distances in pixel intensity, 0 to 1", columns, rows)
        try:
            yield from self._figures()
        except MissingExtra as error:
            yield Note(f"{error} No figures were drawn.")

    def _figures(self) -> Iterator[Event]:
        headings = ["original", "fooled", f"difference × {self.magnify:g}"]
        yield Plot("fooled", "Original, fooled, and the difference (grey: none)", panels(self._rows, headings))
        lines = [line for line in self._lines if len(line.x) > 1]
        if lines:
            axis = Axis("step", "logit of the goal above all others")
            yield Plot("path", "The goal's score while the attack ran", curve(lines, axis, marks={}))

    def _row(self, before: np.ndarray, after: np.ndarray, entry: dict[str, Any]) -> list[Panel]:
        about = (f"L2 {entry['l2']:.3f}, L∞ {entry['linf'] * 255:.0f}/255", f"SSIM {entry['ssim']:.4f}")
        outcome = (
            class_caption(entry["result"]) if entry["verified"] else (f"still {entry['result']['name']}", "not fooled")
        )
        difference = magnified_difference(before, after, self.magnify)
        return [Panel(before, class_caption(entry["source"])), Panel(after, outcome), Panel(difference, about)]


def _upright(image: Tensor) -> np.ndarray:
    return np.ascontiguousarray(image.permute(1, 2, 0).numpy())


def _reached(entry: dict[str, Any]) -> bool:
    if entry["target"] is None:
        return bool(entry["result"]["index"] != entry["source"]["index"])
    return bool(entry["result"]["index"] == entry["target"]["index"])


def _sure(verdict: dict[str, Any]) -> str:
    return f"{verdict['name']} ({percent(verdict['probability'])})"


def _cells(entry: dict[str, Any]) -> tuple[Any, ...]:
    verified = "already" if entry.get("already") else "yes" if entry["verified"] else "no"
    distance = (round(entry["l2"], 4), round(entry["linf"], 4), round(entry["ssim"], 4))
    sides = Path(entry["file"]).name, _sure(entry["source"]), _sure(entry["result"])
    return (*sides, verified, *distance, entry["forwards"], entry["backwards"])
