"""Small multiples: one small plotting area a run, all on the same scale, so that many runs stay apart."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from textwrap import wrap
from typing import TYPE_CHECKING, Any

import numpy as np

from vitrail.plots import style
from vitrail.plots.curves import Axis, Line, draw_line, scale_axes

if TYPE_CHECKING:
    import matplotlib.axes

_WIDTH, _HEIGHT = 2.5, 1.55  # inches of one plotting area
_ACROSS, _DOWN = 0.6, 0.62  # inches between them; the second holds a title of two lines
_LETTERS = 34  # of a title that fit over a plotting area

Limits = tuple[float, float]


@dataclass(frozen=True)
class SmallMultiple:
    """One plotting area.

    Attributes:
        title: two lines of it at most are drawn.
        lines: in the colours of the legend, which names those of the first plotting area.
        behind: lines drawn in grey, to compare with.
        levels: name -> y, each a level line.
        scale: plotting areas whose scale has the same name have the same limits.
    """

    title: str
    lines: Sequence[Line]
    behind: Sequence[Line] = ()
    levels: Mapping[str, float] = field(default_factory=dict)
    scale: str = ""


def small_multiples(
    shown: Sequence[SmallMultiple], axis: Axis, *, columns: int = 4, others: str = "other runs"
) -> bytes:
    """PNG of plotting areas (at least one) in rows, with one legend.

    Args:
        axis: what all their axes say.
        others: what the grey lines are called.

    Raises:
        MissingExtra: matplotlib is not installed.
    """
    columns = min(columns, len(shown))
    rows = -(-len(shown) // columns)
    width, height = columns * (_WIDTH + _ACROSS) - _ACROSS, rows * (_HEIGHT + _DOWN) - _DOWN
    figure = style.canvas(width, height)
    limits = {one.scale: _limits([each for each in shown if each.scale == one.scale], axis) for one in shown}
    for index, one in enumerate(shown):
        row, column = divmod(index, columns)
        corner = column * (_WIDTH + _ACROSS) / width, 1 - (row * (_HEIGHT + _DOWN) + _HEIGHT) / height
        axes = figure.add_axes((*corner, _WIDTH / width, _HEIGHT / height))
        _draw(axes, one, axis, others)
        _fit(axes, axis, limits[one.scale])
        last = index + columns >= len(shown)
        axes.set_xlabel(style.label(axis.x, 60) if last else "", fontsize=style.SMALL, color=style.INK)
        axes.set_ylabel(style.label(axis.y, 40) if column == 0 else "", fontsize=style.SMALL, color=style.INK)
    _legend(figure.axes[0], *_handles(shown, figure.axes))
    return style.png(figure)


def _draw(axes: "matplotlib.axes.Axes", one: SmallMultiple, axis: Axis, others: str) -> None:
    style.style_axes(axes)
    scale_axes(axes, axis)
    axes.locator_params(axis="x", nbins=4)
    if not axis.percent_y:  # matplotlib's own would write a power of ten where the title stands
        axes.yaxis.set_major_formatter(lambda value, _: f"{value:g}".replace("-", "−"))
    for rank, line in enumerate(one.behind):
        name = others if rank == 0 else "_"
        axes.plot(line.x, line.y, color="#c3cad1", linewidth=1.1, marker=_dot(line), markersize=3, label=name, zorder=1)
    for rank, line in enumerate(one.lines):
        draw_line(axes, line, style.PALETTE[rank % len(style.PALETTE)])
    for name, y in one.levels.items():
        axes.axhline(y, color=style.RED, linewidth=1.2, linestyle=(0, (4, 3)), label=style.label(name), zorder=1)
    title = wrap(style.label(one.title, 2 * _LETTERS), _LETTERS, break_on_hyphens=False)[:2]
    axes.set_title("\n".join(title), fontsize=style.SMALL, color=style.INK, loc="left", pad=4)


def _dot(line: Line) -> str:
    """A single point would draw no line."""
    return "o" if len(line.x) == 1 else ""


def _handles(shown: Sequence[SmallMultiple], drawn: Sequence["matplotlib.axes.Axes"]) -> tuple[list[Any], list[str]]:
    """Lines and names of a plotting area that has all kinds of them, the greys last."""
    whole = next((index for index, one in enumerate(shown) if one.behind), 0)
    handles, names = drawn[whole].get_legend_handles_labels()
    greys = int(bool(shown[whole].behind))
    return handles[greys:] + handles[:greys], names[greys:] + names[:greys]


def _legend(axes: "matplotlib.axes.Axes", handles: list[Any], names: list[str]) -> None:
    """Over the first plotting area's title."""
    if len(names) < 2:
        return
    look: dict[str, Any] = {"fontsize": style.SMALL, "frameon": False, "ncols": len(names), "borderaxespad": 0}
    axes.legend(handles, names, loc="lower left", bbox_to_anchor=(-0.02, 1.2), **look)


def _fit(axes: "matplotlib.axes.Axes", axis: Axis, limits: tuple[Limits, Limits]) -> None:
    from matplotlib.ticker import LogLocator

    axes.set(xlim=limits[0], ylim=limits[1])
    if axis.log_y and limits[1][1] < 50 * limits[1][0]:  # too few powers of ten to read anything off them
        axes.yaxis.set_major_locator(LogLocator(10, subs=(1, 2, 5)))


def _limits(shown: Sequence[SmallMultiple], axis: Axis) -> tuple[Limits, Limits]:
    """Limits of x and y that hold every finite point, with a little room."""
    lines = [line for one in shown for line in (*one.lines, *one.behind)]
    levels = [list(one.levels.values()) for one in shown]
    both = ([line.x for line in lines], axis.log_x), ([*(line.y for line in lines), *levels], axis.log_y)
    found = []
    for values, logarithmic in both:
        every = np.concatenate([np.asarray(each, dtype=float) for each in values] or [np.empty(0)])
        every = every[np.isfinite(every) & (every > 0 if logarithmic else True)]
        if not len(every):
            every = np.array([0.1 if logarithmic else 0.0, 1.0])
        low, high = float(every.min()), float(every.max())
        if logarithmic:
            room = max(high / low, 1.5) ** 0.06
            found.append((low / room, high * room))
        else:
            room = 0.06 * (high - low) or 0.5
            found.append((low - room, high + room))
    return found[0], found[1]
