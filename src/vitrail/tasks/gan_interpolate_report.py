"""Strip, animation and summary of `gan interpolate`."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from vitrail.errors import MissingExtra
from vitrail.events import Attachment, Event, Image, Note, Summary
from vitrail.formatting import command, count, duration
from vitrail.gan.interpolation import MAX_ROWS, Interpolation
from vitrail.images import to_hwc
from vitrail.plots import animation, encode_mp4, grid
from vitrail.plots.encode import encode_png

STRIP_FRAMES, STRIP_WIDTH = 25, 1300  # limits of the strip: frames, and pixels
PAUSE = 10  # times the duration of the others that the last frame of an animation without loop is shown
TILES = 192, 96  # pixels: side that an image of the animation is enlarged to, alone and among others


class Report:
    """Files and summary of an interpolation.

    Attributes:
        outputs: files, relative to the run folder.
        skipped: files that could not be written, as in `result.json`.
    """

    def __init__(self, interpolation: Interpolation) -> None:
        self._interpolation = interpolation
        self._images = to_hwc(interpolation.pixels)  # (rows, frames, S, S, 3)
        self.outputs: list[str] = []
        self.skipped: list[dict[str, str]] = []

    def files(self, *, milliseconds: int, mp4: bool) -> Iterator[Event]:
        """The strip, the GIF and, if asked for, the MP4."""
        interpolation = self._interpolation
        if interpolation.omitted:
            yield Note(f"{interpolation.omitted} labels after the first {MAX_ROWS} were omitted. Use --class for them.")
        yield self._strip()
        self.outputs.append("images/strip.png")
        frames = self._frames()
        last = 1 if interpolation.keypoints.loop else PAUSE
        yield Attachment("images", "interpolation.gif", animation(frames, milliseconds=milliseconds, last=last))
        self.outputs.append("images/interpolation.gif")
        if mp4:
            try:
                yield Attachment("images", "interpolation.mp4", encode_mp4(frames, milliseconds=milliseconds))
                self.outputs.append("images/interpolation.mp4")
            except MissingExtra as error:
                yield Note(f"{error} The GIF has the same frames.", "missing-extra")
                self.skipped.append({"file": "images/interpolation.mp4", "kind": "missing-extra", "reason": str(error)})

    def summary(self, generator: Path, seconds: float) -> Summary:
        """What was interpolated, and where it is."""
        keypoints, labels = self._interpolation.keypoints, self.labels()
        seeds = keypoints.seeds if len(set(keypoints.seeds)) > 1 else keypoints.seeds[:1]
        loop = ", back to the first" if keypoints.loop else ""
        lines = [
            ("frames", f"{keypoints.frames}, {keypoints.steps} from each seed to the next"),
            ("seeds", f"{', '.join(map(str, seeds))}{loop}"),
            *([("labels", ", ".join(labels))] if labels else []),
            ("files", ", ".join(self.outputs)),
            *[("not written", skip["file"]) for skip in self.skipped],
            ("time", duration(seconds)),
        ]
        return Summary(lines, [command("gan", "sample", generator)])

    def labels(self) -> list[str]:
        """Names of the rows; empty if unconditional."""
        return [row.name for row in self._interpolation.rows if row.name]

    def _strip(self) -> Image:
        """Frames from left to right, a row for each label."""
        keypoints = self._interpolation.keypoints
        limit = min(STRIP_FRAMES, max(2, STRIP_WIDTH // max(self._images.shape[-2], 48)))
        frames = keypoints.frames_of_strip(limit)
        seeds = [*keypoints.seeds, *keypoints.seeds[: int(keypoints.loop)]]
        if len(set(seeds)) == 1:
            seeds = seeds[:1]
        heading = f"seed{'s' * (len(seeds) > 1)} {', '.join(map(str, seeds))}"
        sheet = grid({heading: self._images[:, frames]}, self.labels())
        return Image("strip", f"{len(frames)} of {count(keypoints.frames, 'frame')}, {heading}", encode_png(sheet))

    def _frames(self) -> list[np.ndarray]:
        """Frames of the animation: of one row with its position, of several with the name of each."""
        interpolation = self._interpolation
        rows, frames = len(interpolation.rows), range(interpolation.keypoints.frames)
        if rows == 1:
            captions: Any = ([interpolation.caption(0, frame)] for frame in frames)
        else:
            captions = ([row.name for row in interpolation.rows] for _ in frames)
        tile = TILES[rows > 1]
        return [_mosaic(names, self._images[:, at], tile=tile) for at, names in zip(frames, captions, strict=True)]


def _mosaic(names: Sequence[str], images: np.ndarray, *, tile: int) -> np.ndarray:
    """Images under their names, in about half as many rows as columns; the rest is white."""
    cells = [grid({name: image[None, None]}, tile=tile) for name, image in zip(names, images, strict=True)]
    cells = [np.pad(cell, ((2, 2), (3, 3), (0, 0)), constant_values=255) for cell in cells]
    columns = math.ceil(math.sqrt(2 * len(cells))) if len(cells) > 1 else 1
    cells += [np.full_like(cells[0], 255)] * (-len(cells) % columns)
    return np.concatenate([np.concatenate(cells[at : at + columns], 1) for at in range(0, len(cells), columns)])
