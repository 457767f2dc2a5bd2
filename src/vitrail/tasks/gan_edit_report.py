"""Files, sheets, table and summary of `gan edit`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from vitrail.errors import MissingExtra
from vitrail.events import Attachment, Event, Image, Note, Plot, Summary, Table
from vitrail.formatting import command, count, duration, number, percent
from vitrail.gan.edit_means import JudgeAccuracy, edit_means, strength_line, success_lines
from vitrail.gan.editor import EditResult
from vitrail.image_files import display_name
from vitrail.images import to_hwc
from vitrail.plots import Panel, grid, panels
from vitrail.plots.encode import encode_png
from vitrail.unique_names import UniqueNames, with_names

IMAGES_IN_PLOT, STRIPS = 6, 12  # images in the plot, and in the sheet of strips
TILE = 96  # pixels in the sheet of strips
PANEL = 350  # pixels, about: that a panel shows without blur


class Report:
    """Collects edited images.

    Args:
        edits: attribute -> whether it is set.
        judge_accuracy: see `EditMetrics`.
    Attributes:
        images: as in `result.json`.
        skipped: images that could not be read, with the reasons.
    """

    def __init__(self, edits: Mapping[str, bool], judge_accuracy: JudgeAccuracy) -> None:
        self._edits, self._judge_accuracy = edits, judge_accuracy
        self.images: list[dict[str, Any]] = []
        self.skipped: list[dict[str, str]] = []
        self._names = UniqueNames()
        self._rows: list[list[Panel]] = []
        self._strips: list[tuple[str, np.ndarray]] = []

    def add(self, files: Sequence[Path], result: EditResult, entries: Sequence[dict[str, Any]]) -> Iterator[Event]:
        """The files of some images."""
        for row, (file, entry) in enumerate(zip(files, entries, strict=True)):
            name = self._names.free(file.stem)
            strip = to_hwc(result.strip[row])
            images = {
                "original": to_hwc(result.original[row]),
                "reconstruction": to_hwc(result.reconstruction[row]),
                "edited": strip[-1],
                "strip": np.concatenate(list(strip), axis=1),
            }
            for kind, image in images.items():
                yield Attachment("edited", f"{name}_{kind}.png", encode_png(np.ascontiguousarray(image)))
            output = {kind: f"edited/{name}_{kind}.png" for kind in images}
            edits = {attribute: int(value) for attribute, value in self._edits.items()}
            self.images.append({"file": display_name(file), "edits": edits, **entry, "output": output})
            if len(self._rows) < IMAGES_IN_PLOT:
                self._rows.append(self._panels(name, images, self.images[-1]))
            if len(self._strips) < STRIPS:
                frames = np.stack([images["original"], images["reconstruction"], *strip])
                self._strips.append((name, frames))

    def means(self) -> dict[str, Any]:
        """Means over all images, as in `result.json`; None for what was not measured."""
        return edit_means(self.images, self._edits, self._judge_accuracy)

    def finish(self) -> Iterator[Event]:
        """The table, and sheets of the first images."""
        edits = ", ".join(self._edit_names())
        of_edits = (f"{name}, before → after" for name in self._edits)
        columns = ("image", *of_edits, "success", "strength", "error", "distance")
        title = "Probabilities of the judge, squared error, distance to the original"
        rows = [(name, *self._cells(entry)) for name, entry in with_names(self.images)]
        yield Table("edited", title, columns, rows)
        frames = np.stack([frames for _, frames in self._strips])
        blocks = {"original": frames[:, :1], "reconstruction": frames[:, 1:2], f"to {edits}": frames[:, 2:]}
        sheet = grid(blocks, [name for name, _ in self._strips], tile=TILE)
        yield Image("strips", "Attributes changed step by step", encode_png(sheet))
        try:
            plot = panels(self._rows, ("original", "reconstruction", edits))
            yield Plot("edited", "Original, reconstruction, edited", plot)
        except MissingExtra as error:
            yield Note(f"{error} No plot was drawn.", "missing-extra")

    def summary(self, generator: Path, seconds: float) -> Summary:
        """How many images were edited, with what success, and how close they are to the originals."""
        means = self.means()
        lines = [
            ("images", count(means["n"], "image") + (f", {len(self.skipped)} skipped" if self.skipped else "")),
            ("edit", ", ".join(self._edit_names())),
        ]
        lines += [*success_lines(means["changed"]), ("strength", strength_line(self.images))]
        if means["identity_ratio"] is not None:
            lines.append(("distance", f"{means['identity_ratio']:.2f} of that between different real images"))
        errors = (number(means[key]) for key in ("reconstruction_error", "encoder_error"))
        lines.append(("reconstruction error", "{} (encoders alone: {})".format(*errors)))
        lines.append(("time", duration(seconds)))
        return Summary(lines, [command("gan", "interpolate", generator)])

    def _edit_names(self) -> list[str]:
        return [f"{'' if value else 'not '}{name}" for name, value in self._edits.items()]

    def _panels(self, name: str, images: dict[str, np.ndarray], entry: dict[str, Any]) -> list[Panel]:
        judge, identity = entry["judge"], entry["identity"]
        before, after = (() if judge is None else self._probabilities(judge[when]) for when in ("before", "after"))
        ratio = None if identity is None else identity["ratio"]
        distance = () if ratio is None else (f"distance {ratio:.2f}",)
        error = f"squared error {entry['reconstruction_error']:.4f}"
        return [
            Panel(_enlarge(images["original"]), (name, *before)),
            Panel(_enlarge(images["reconstruction"]), (error,)),
            Panel(_enlarge(images["edited"]), (*after, *distance)),
        ]

    def _probabilities(self, values: dict[str, float]) -> tuple[str, ...]:
        return tuple(f"{name} {percent(values[name])}" for name in self._edits)

    def _cells(self, entry: dict[str, Any]) -> tuple[Any, ...]:
        judge, identity = entry["judge"], entry["identity"]
        probabilities = [
            None if judge is None else f"{judge['before'][name]:.2f} → {judge['after'][name]:.2f}"
            for name in self._edits
        ]
        success = None if judge is None else "yes" if entry["success"] else "no"
        ratio = None if identity is None else identity["ratio"]
        return (*probabilities, success, entry["strength"], entry["reconstruction_error"], ratio)


def _enlarge(image: np.ndarray) -> np.ndarray:
    times = max(1, round(PANEL / image.shape[0]))
    return image.repeat(times, axis=0).repeat(times, axis=1)
