"""The confusion matrix: which classes are taken for which."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float, Int

from vitrail.plots import style

if TYPE_CHECKING:
    import matplotlib.axes
    import matplotlib.figure

_NUMBERS_UP_TO = 25  # classes; beyond, a cell is too small for its number
_CELL = 0.40  # inches, wide enough for "100"
_SMALLEST_SIDE, _LARGEST_SIDE = 2.0, 11.0  # inches
_LINE = 0.135  # inches that a class name needs to itself


def confusion(matrix: Int[np.ndarray, "classes classes"], classes: Sequence[str]) -> bytes:
    """PNG of the matrix, coloured by the share of each true class, with percentages up to 25 classes.

    Args:
        matrix: counts, row = true class, column = predicted class.
        classes: names in the order of the rows; from about 80 on only every n-th is written.

    Raises:
        MissingExtra: matplotlib is not installed.
    """
    count = len(classes)
    cell = _CELL if count <= _NUMBERS_UP_TO else _LINE + 0.03
    side = min(max(count * cell, _SMALLEST_SIDE), _LARGEST_SIDE)
    figure = style.canvas(side, side)
    axes = figure.add_axes((0, 0, 1, 1))
    # A class without images has no shares; its row stays empty.
    shares = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    _draw_map(figure, axes, shares)
    _name_classes(axes, classes, max(1, int(np.ceil(_LINE * count / side))))
    if count <= _NUMBERS_UP_TO:
        _write_numbers(axes, matrix, shares)
    return style.png(figure)


def _draw_map(
    figure: "matplotlib.figure.Figure", axes: "matplotlib.axes.Axes", shares: Float[np.ndarray, "classes classes"]
) -> None:
    from matplotlib.colors import PowerNorm

    # The square root shows errors of a few percent, which a linear scale would hide; the bar's ticks tell.
    image = axes.imshow(shares, cmap=style.ramp(), norm=PowerNorm(0.5, 0, 1))
    side = figure.get_figwidth()
    bar = figure.colorbar(image, cax=figure.add_axes((1 + 0.22 / side, 0, 0.14 / side, 1)))
    bar.set_ticks([0, 0.01, 0.05, 0.25, 0.5, 1], labels=["0", "1", "5", "25", "50", "100"])
    bar.set_label("% of the true class", fontsize=style.SMALL, color=style.INK)
    bar.outline.set_visible(False)
    style.style_axes(bar.ax, grid="", sides=())


def _name_classes(axes: "matplotlib.axes.Axes", classes: Sequence[str], step: int) -> None:
    style.style_axes(axes, grid="", sides=())
    shown = range(0, len(classes), step)
    names = [style.label(classes[index]) for index in shown]
    size = style.SMALL if len(classes) <= _NUMBERS_UP_TO else 7.5
    axes.set_xticks(shown, names, rotation=90, fontsize=size)
    axes.set_yticks(shown, names, fontsize=size)
    axes.tick_params(length=0, pad=4)
    axes.set_xlabel("predicted", fontsize=style.BODY, color=style.MUTED, labelpad=8)
    axes.set_ylabel("true", fontsize=style.BODY, color=style.MUTED, labelpad=8)


def _write_numbers(
    axes: "matplotlib.axes.Axes",
    matrix: Int[np.ndarray, "classes classes"],
    shares: Float[np.ndarray, "classes classes"],
) -> None:
    """Percentages of the true class; an error too rare to round to 1 % shows as "<1", a zero as nothing."""
    for row, column in zip(*np.nonzero(matrix), strict=True):
        share = shares[row, column]
        text = f"{share:.0%}".removesuffix("%") if share >= 0.005 else "<1"
        colour = "white" if share > 0.22 else style.INK
        number = axes.text(column, row, text, ha="center", va="center", fontsize=style.SMALL, color=colour)
        number.set_in_layout(False)  # it lies inside its cell: need not be measured
