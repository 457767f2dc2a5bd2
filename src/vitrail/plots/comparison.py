"""Runs side by side: one figure of each, with how sure it is."""

from collections.abc import Sequence
from dataclasses import dataclass

from vitrail.formatting import percent
from vitrail.plots import style

_WIDTH, _ROW = 4.6, 0.34  # inches: the plotting area, the height of one run


@dataclass(frozen=True)
class Interval:
    """A share in [0, 1] and the interval it lies in with 95 % confidence."""

    name: str
    value: float
    low: float
    high: float


def comparison(intervals: Sequence[Interval], x: str = "accuracy") -> bytes:
    """PNG with one row per run (at least one), in the order given: a dot and its interval, the best in blue.

    Raises:
        MissingExtra: matplotlib is not installed.
    """
    figure = style.canvas(_WIDTH, len(intervals) * _ROW)
    axes = figure.add_axes((0, 0, 1, 1))
    style.style_axes(axes, grid="x", sides=("bottom",))
    best = max(interval.value for interval in intervals)
    for row, interval in enumerate(intervals):
        colour = style.BLUE if interval.value == best else style.MUTED
        axes.plot([interval.low, interval.high], [row, row], color=colour, linewidth=2.2, solid_capstyle="round")
        axes.plot(interval.value, row, "o", color=colour, markersize=7, markeredgecolor="white")
        place = axes.get_yaxis_transform()  # the figures in one column, right of the plotting area
        axes.text(1.02, row, percent(interval.value), transform=place, va="center", fontsize=style.BODY, color=colour)
    axes.set_ylim(len(intervals) - 0.5, -0.5)
    axes.margins(x=0.08)
    axes.set_yticks(range(len(intervals)), [style.label(interval.name, 48) for interval in intervals])
    axes.tick_params(axis="y", length=0)
    style.percent_ticks(axes.xaxis)
    axes.locator_params(axis="x", nbins=5)
    axes.set_xlabel(f"{style.label(x)}, with its 95 % interval", fontsize=style.SMALL, color=style.MUTED, labelpad=6)
    return style.png(figure)
