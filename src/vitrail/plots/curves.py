"""Curves: a figure against a setting, a layer, or the steps of a training."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from vitrail.plots import style

if TYPE_CHECKING:
    import matplotlib.axes

_WIDTH, _HEIGHT = 5.6, 3.2  # inches of the plotting area
_DOTS_UP_TO = 40  # points of a line; beyond, dots would hide it


@dataclass(frozen=True)
class Line:
    """One curve.

    Attributes:
        x, y: the points, rising in x; where y is not finite, the line has a gap.
        name: written in the legend when there are several lines.
        spread: half the height of the band around y, point by point; without it none is drawn.
    """

    x: Sequence[float]
    y: Sequence[float]
    name: str = ""
    spread: Sequence[float] = ()


@dataclass(frozen=True)
class Axis:
    """What the axes say.

    Attributes:
        x, y: their names.
        log_x, log_y: whether equal distances along x or y are equal ratios.
        percent_y: whether y is a share in [0, 1], written in percent.
        x_names: what stands at x = 0, 1, 2, ... when x is no number but, say, a layer.
    """

    x: str
    y: str
    log_x: bool = False
    log_y: bool = False
    percent_y: bool = False
    x_names: Sequence[str] = ()


def curve(lines: Sequence[Line], axis: Axis, *, marks: Mapping[str, float] | None = None) -> bytes:
    """PNG of one or several lines, each with its spread.

    Args:
        marks: name -> x, each a labelled upright line, as for the chosen value of a setting.

    Raises:
        MissingExtra: matplotlib is not installed.
    """
    figure = style.canvas(_WIDTH, _HEIGHT)
    axes = figure.add_axes((0, 0, 1, 1))
    style.style_axes(axes)
    scale_axes(axes, axis)
    for rank, line in enumerate(lines):
        draw_line(axes, line, style.PALETTE[rank % len(style.PALETTE)])
    if axis.percent_y:  # a band, or room above a line, would promise shares that there are not
        low, high = axes.get_ylim()
        axes.set_ylim(max(low, 0.0 - 0.02 * (high - low)), min(high, 1.0 + 0.02 * (high - low)))
    for name, x in (marks or {}).items():
        _draw_mark(axes, name, x)
    if len(lines) > 1:
        place: dict[str, Any] = {"loc": "upper left", "bbox_to_anchor": (1.01, 1.02)}
        style.legend(axes, axes.get_lines()[: len(lines)], [line.name for line in lines], frameon=False, **place)
    return style.png(figure)


def draw_line(axes: "matplotlib.axes.Axes", line: Line, colour: str) -> None:
    """One line and its band."""
    y = np.asarray(line.y, dtype=float)
    dots = "o" if len(y) <= _DOTS_UP_TO else ""
    axes.plot(line.x, y, color=colour, linewidth=1.8, marker=dots, markersize=4.5, label=style.label(line.name))
    if len(line.spread):
        band = np.asarray(line.spread, dtype=float)
        axes.fill_between(line.x, y - band, y + band, color=colour, alpha=0.15, linewidth=0)


def _draw_mark(axes: "matplotlib.axes.Axes", name: str, x: float) -> None:
    axes.axvline(x, color=style.RED, linewidth=1.2, linestyle=(0, (4, 3)), zorder=1)
    # x in data units, y as a share of the plotting area: the label sits on top of its line.
    place = axes.get_xaxis_transform()
    axes.text(x, 1.02, style.label(name), transform=place, ha="center", fontsize=style.SMALL, color=style.RED)


def scale_axes(axes: "matplotlib.axes.Axes", axis: Axis) -> None:
    """What the axes say, and where their ticks are."""
    from matplotlib.ticker import LogLocator, MaxNLocator

    axes.set_xlabel(style.label(axis.x, 60), fontsize=style.BODY, color=style.INK, labelpad=6)
    axes.set_ylabel(style.label(axis.y, 60), fontsize=style.BODY, color=style.INK, labelpad=6)
    if axis.log_x:
        axes.set_xscale("log")
        axes.xaxis.set_major_locator(LogLocator(10, numticks=9))
        axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")  # matplotlib's own would be mathtext
        axes.xaxis.set_minor_formatter("")
    if axis.x_names:
        slanted = sum(map(len, axis.x_names)) > 50  # characters that fit side by side under the plotting area
        axes.set_xticks(range(len(axis.x_names)), [style.label(name) for name in axis.x_names])
        if slanted:
            for text in axes.get_xticklabels():
                text.set(rotation=35, ha="right", rotation_mode="anchor")
        axes.grid(False, axis="x")
    if axis.log_y:
        axes.set_yscale("log")
        axes.yaxis.set_major_locator(LogLocator(10, numticks=6))
        axes.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
        axes.yaxis.set_minor_formatter("")  # where there is no power of ten, matplotlib would name them: as mathtext
    else:
        axes.yaxis.set_major_locator(MaxNLocator(6, steps=[1, 2, 2.5, 5, 10]))
    if axis.percent_y:
        style.percent_ticks(axes.yaxis)
