"""What `edit` keeps and shows: each image's files, sheets of the first ones, a table, and how often it succeeded."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from vitrail.errors import MissingExtra
from vitrail.events import Attachment, Event, Image, Note, Plot, Table
from vitrail.formatting import percent
from vitrail.image_files import display_name
from vitrail.images import to_rgb
from vitrail.plots import Panel, grid, panels
from vitrail.plots.encode import encode_png
from vitrail.tasks.gan_edit_images import Edited, Editor
from vitrail.tasks.kept_names import UniqueNames

DRAWN, STRIPS = 6, 12  # images in the sheet with figures, and in that of strips
TILE = 96  # pixels in the sheet of strips
ENLARGED = 350  # pixels, about: that a panel shows without a blur of its own


class Report:
    """Collects edited images.

    Args:
        seen: see `Measures.seen`.
    Attributes:
        images: as in `result.json`.
        skipped: images that could not be read, and why.
    """

    def __init__(self, editor: Editor, seen: Mapping[str, tuple[float, float]]) -> None:
        self._seen_in_real = seen
        self.images: list[dict[str, Any]] = []
        self.skipped: list[dict[str, str]] = []
        self._all = editor.generator.names
        self._wishes = {self._all[index]: value > 0 for index, value in editor.wishes.items()}
        self._names = UniqueNames()
        self._rows: list[list[Panel]] = []
        self._strips: list[tuple[str, np.ndarray]] = []

    def add(self, files: Sequence[Path], found: Edited, entries: Sequence[dict[str, Any]]) -> Iterator[Event]:
        """Keeps the files of some images."""
        for row, (file, entry) in enumerate(zip(files, entries, strict=True)):
            name = self._names.free(file.stem)
            strip = _upright(found.strip[row])
            made = {
                "original": _upright(found.original[row]),
                "reconstruction": _upright(found.rebuilt[row]),
                "edited": strip[-1],
                "strip": np.concatenate(list(strip), axis=1),
            }
            for kind, image in made.items():
                yield Attachment("edited", f"{name}_{kind}.png", encode_png(np.ascontiguousarray(image)))
            output = {kind: f"edited/{name}_{kind}.png" for kind in made}
            wanted = {wish: int(so) for wish, so in self._wishes.items()}
            self.images.append({"file": display_name(file), "wanted": wanted, **entry, "output": output})
            if len(self._rows) < DRAWN:
                self._rows.append(self._panels(made, self.images[-1]))
            if len(self._strips) < STRIPS:
                frames = np.stack([made["original"], made["reconstruction"], *strip])
                self._strips.append((file.stem, frames))

    def means(self) -> dict[str, Any]:
        """Over all images, as `result.json` has them; None for what was not measured."""
        identities = [entry["identity"] for entry in self.images if entry["identity"] is not None]
        ratios = [each["ratio"] for each in identities if each["ratio"] is not None]
        return {
            "n": len(self.images),
            "reconstruction_error": _mean([entry["reconstruction_error"] for entry in self.images]),
            "encoder_error": _mean([entry["encoder_error"] for entry in self.images]),
            "identity_ratio": _mean(ratios),
            "success_rate": _mean([float(entry["success"]) for entry in self.images if entry["judge"]]),
            "changed": self._changed(),
        }

    def finished(self) -> Iterator[Event]:
        """A sentence, the table, and sheets of the first images."""
        yield from self._summary()
        wishes = [f"{'' if so else 'not '}{name}" for name, so in self._wishes.items()]
        columns = ("image", *(f"{name}, before → after" for name in self._wishes), "success", "error", "distance")
        title = f"Images made {', '.join(wishes)}: what the judge sees, squared error, distance to the original"
        yield Table("edited", title, columns, [self._cells(entry) for entry in self.images])
        frames = np.stack([frames for _, frames in self._strips])
        blocks = {"original": frames[:, :1], "rebuilt": frames[:, 1:2], f"to {', '.join(wishes)}": frames[:, 2:]}
        sheet = grid(blocks, [name for name, _ in self._strips], tile=TILE)
        yield Image("strips", "Attributes changed step by step", encode_png(sheet))
        try:
            headings = ("original", "reconstruction", ", ".join(wishes))
            yield Plot("edited", "Original, reconstruction, edited", panels(self._rows, headings))
        except MissingExtra as error:
            yield Note(f"{error} No sheet with figures was drawn.")

    def _summary(self) -> Iterator[Event]:
        for name, found in self._changed().items():
            wish = name if self._wishes[name] else f"not {name}"
            count = f"{found['succeeded']} of the {found['n']}"
            real = f"in {percent(found['real'])} of real ones that are so"
            yield Note(f"{wish}: the judge sees it in {count} images where it did not before; {real}.")
        ratio = self.means()["identity_ratio"]
        if ratio is not None:
            yield Note(f"Likeness: edited images are {ratio:.2f} of the distance from the original that others are.")

    def _changed(self) -> dict[str, dict[str, Any]]:
        """Of the images that the judge saw otherwise before: in how many it sees now what was wished.

        `real`: in which share of the real images that are so it sees it.
        """
        judged = [entry["judge"] for entry in self.images if entry["judge"]]
        found = {}
        for name, so in self._wishes.items():
            others = [each for each in judged if (each["before"][name] > 0.5) != so]
            if judged:
                succeeded = sum((each["after"][name] > 0.5) == so for each in others)
                found[name] = {"n": len(others), "succeeded": succeeded, "real": self._seen_in_real[name][so]}
        return found

    def _panels(self, made: dict[str, np.ndarray], entry: dict[str, Any]) -> list[Panel]:
        judge, identity = entry["judge"], entry["identity"]
        before, after = (() if judge is None else self._seen(judge[when]) for when in ("before", "after"))
        like = (
            () if identity is None or identity["ratio"] is None else (f"{identity['ratio']:.2f} of others' distance",)
        )
        error = f"squared error {entry['reconstruction_error']:.4f}"
        return [
            Panel(_enlarged(made["original"]), (Path(entry["file"]).name, *before)),
            Panel(_enlarged(made["reconstruction"]), (error,)),
            Panel(_enlarged(made["edited"]), (*after, *like)),
        ]

    def _seen(self, shares: dict[str, float]) -> tuple[str, ...]:
        return tuple(f"{name} {percent(shares[name])}" for name in self._wishes)

    def _cells(self, entry: dict[str, Any]) -> tuple[Any, ...]:
        judge, identity = entry["judge"], entry["identity"]
        seen = [
            None if judge is None else f"{judge['before'][name]:.2f} → {judge['after'][name]:.2f}"
            for name in self._wishes
        ]
        success = None if judge is None else "yes" if entry["success"] else "no"
        ratio = None if identity is None else identity["ratio"]
        return (Path(entry["file"]).name, *seen, success, entry["reconstruction_error"], ratio)


def _upright(pixels: Tensor) -> np.ndarray:
    """(..., C, S, S) as (..., S, S, 3)."""
    found: np.ndarray = to_rgb(pixels).movedim(-3, -1).contiguous().numpy()
    return found


def _enlarged(image: np.ndarray) -> np.ndarray:
    times = max(1, round(ENLARGED / image.shape[0]))
    return image.repeat(times, axis=0).repeat(times, axis=1)


def _mean(values: Sequence[float]) -> float | None:
    return sum(values) / len(values) if values else None
