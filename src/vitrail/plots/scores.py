"""Runs side by side in several figures at once: a row a run, a column a figure, each beside what real images get."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from vitrail.plots import style

if TYPE_CHECKING:
    import matplotlib.axes

_WIDTH, _ROW = 1.6, 0.36  # inches: one plotting area, the height of one run
_VALUES, _BETWEEN = 0.55, 0.2  # inches: for the numbers right of each plotting area, and after them


@dataclass(frozen=True)
class Score:
    """One figure of every run.

    Attributes:
        name: written above.
        values: one a run; None or what is not finite is left out.
        real: what real images get, one a run; or none.
        best: which value is drawn in blue; None: none is.
    """

    name: str
    values: Sequence[float | None]
    real: Sequence[float | None] = ()
    best: Literal["low", "high"] | None = "high"


def scores(names: Sequence[str], shown: Sequence[Score]) -> bytes:
    """PNG with one row per run (at least one) and one column per figure: a dot, and an upright mark for real images.

    Raises:
        MissingExtra: matplotlib is not installed.
    """
    step = _WIDTH + _VALUES + _BETWEEN
    width, height = len(shown) * step, len(names) * _ROW
    figure = style.canvas(width, height)
    for column, score in enumerate(shown):
        axes = figure.add_axes((column * step / width, 0, _WIDTH / width, 1))
        _draw(axes, score, len(names))
        labels = [style.label(name, 40) for name in names] if column == 0 else []
        axes.set_yticks(range(len(names)) if labels else [], labels)
    if any(score.real for score in shown):
        first = figure.axes[0]
        first.plot([], [], "|", color=style.RED, markersize=12, markeredgewidth=1.6, label="real images")
        first.legend(fontsize=style.SMALL, frameon=False, loc="lower right", bbox_to_anchor=(-0.02, 1.0))
    return style.png(figure)


def _draw(axes: "matplotlib.axes.Axes", score: Score, rows: int) -> None:
    style.style_axes(axes, grid="x", sides=("bottom",))
    real = [(row, value) for row, value in enumerate(score.real) if value is not None and math.isfinite(value)]
    dots = [(row, value) for row, value in enumerate(score.values) if value is not None and math.isfinite(value)]
    for row, value in real:
        axes.plot(value, row, "|", color=style.RED, markersize=12, markeredgewidth=1.6)
    wanted = {"low": min, "high": max}[score.best] if score.best else None
    best = wanted(value for _, value in dots) if wanted and dots else None
    for row, value in dots:
        colour = style.BLUE if value == best else style.MUTED
        axes.plot(value, row, "o", color=colour, markersize=7, markeredgecolor="white", clip_on=False)
        place = axes.get_yaxis_transform()  # the numbers in one column, right of the plotting area
        axes.text(1.04, row, _number(value), transform=place, va="center", fontsize=style.SMALL, color=colour)
    axes.set_ylim(rows - 0.5, -0.5)
    least, most = (edge([value for _, value in (*real, *dots)], default=0.0) for edge in (min, max))
    axes.set_xlim(min(0.0, least * 1.08), most * 1.08 or 1.0)  # from 0: a small difference should look small
    axes.locator_params(axis="x", nbins=4)
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:,.6g}")
    axes.tick_params(axis="y", length=0)
    axes.set_title(style.label(score.name, 26), fontsize=style.SMALL, color=style.INK, loc="left", pad=5)


def _number(value: float) -> str:
    return f"{value:.3g}" if abs(value) < 1000 else f"{value:,.0f}"
