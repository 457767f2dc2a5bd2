"""Images in rows under headings, each with what there is to say of it: how maps and adversarial images are shown."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import UInt8

from vitrail.plots import style
from vitrail.plots.colours import SIGNED, UNSIGNED
from vitrail.plots.thumbnail import thumbnail

if TYPE_CHECKING:
    import matplotlib.figure

_SIDE, _GAP, _LINE = 1.75, 0.12, 0.17  # inches: an image's longer side, between images, a line of a caption
_DRAWN = 2 * round(_SIDE * style.DPI)  # pixels of an image's longer side
_LETTERS = 30  # that fit under an image
_BAR = 0.13  # inches, the width of a colour bar


@dataclass(frozen=True)
class Panel:
    """One image, and the lines under it; of a large image only what is drawn is kept, as panels are collected."""

    image: UInt8[np.ndarray, "height width 3"]
    lines: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if max(self.image.shape[:2]) > _DRAWN:
            object.__setattr__(self, "image", np.asarray(thumbnail(self.image, _DRAWN)))


@dataclass(frozen=True)
class Scale:
    """What the colours of maps mean: a bar beside the panels.

    Attributes:
        signed: from "against" over "none" to "for"; else from "none" to "most".
    """

    signed: bool


def panels(rows: Sequence[Sequence[Panel]], headings: Sequence[str] = (), scales: Sequence[Scale] = ()) -> bytes:
    """PNG of rows of images, all as wide, with headings over the columns and colour bars to the right.

    Args:
        rows: at least one; each with at least one panel.
        headings: one a column, or none.

    Raises:
        MissingExtra: matplotlib is not installed.
    """
    heights = [_SIDE * max(_shape(panel)[1] for panel in row) for row in rows]
    below = [_LINE * max(len(panel.lines) for panel in row) + 0.05 for row in rows]
    width = max(map(len, rows)) * (_SIDE + _GAP) - _GAP
    height = sum(heights) + sum(below) + _GAP * (len(rows) - 1)
    figure = style.canvas(width, height)
    top = height
    for row, tall, captions in zip(rows, heights, below, strict=True):
        for column, panel in enumerate(row):
            _draw(figure, panel, (column * (_SIDE + _GAP), top, tall))
        top -= tall + captions + _GAP
    for column, heading in enumerate(headings):
        place = (column * (_SIDE + _GAP) + _SIDE / 2) / width, 1 + 0.06 / height
        figure.text(*place, style.label(heading, _LETTERS), ha="center", va="bottom", fontsize=style.BODY)
    for number, scale in enumerate(scales):
        _draw_scale(figure, scale, (width + 0.2 + number * 0.85, heights[0]))
    return style.png(figure)


def _draw(figure: "matplotlib.figure.Figure", panel: Panel, place: tuple[float, float, float]) -> None:
    """One panel in a row that begins at `top` and is `tall` inches high without its captions."""
    (width, height), (left, top, tall) = figure.get_size_inches(), place
    across, down = (_SIDE * share for share in _shape(panel))
    corner = left + (_SIDE - across) / 2, top - (tall + down) / 2
    axes = figure.add_axes((corner[0] / width, corner[1] / height, across / width, down / height))
    axes.imshow(panel.image, aspect="auto")
    axes.set_axis_off()
    for number, line in enumerate(panel.lines):
        y = (top - tall - 0.04 - number * _LINE) / height
        colour = style.INK if number == 0 else style.MUTED
        text = style.label(line, _LETTERS)
        figure.text((left + _SIDE / 2) / width, y, text, ha="center", va="top", fontsize=style.SMALL, color=colour)


def _shape(panel: Panel) -> tuple[float, float]:
    """Width and height as shares of the longer side."""
    height, width = panel.image.shape[:2]
    return width / max(width, height), height / max(width, height)


def _draw_scale(figure: "matplotlib.figure.Figure", scale: Scale, place: tuple[float, float]) -> None:
    (width, height), (left, tall) = figure.get_size_inches(), place
    axes = figure.add_axes((left / width, 1 - tall / height, _BAR / width, tall / height))
    steps = np.linspace(1, 0, 256)[:, None].repeat(8, axis=1)
    axes.imshow(style.coloured(SIGNED if scale.signed else UNSIGNED, steps), aspect="auto", extent=(0, 1, 0, 1))
    names = {0.0: "against", 0.5: "none", 1.0: "for"} if scale.signed else {0.0: "none", 1.0: "most"}
    axes.set_yticks(list(names), list(names.values()), fontsize=style.SMALL)
    axes.yaxis.tick_right()
    axes.tick_params(length=0)
    axes.set_xticks([])
    for spine in axes.spines.values():
        spine.set_visible(False)
