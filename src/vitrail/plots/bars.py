"""An image beside the classes it was taken for, as horizontal bars."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import UInt8

from vitrail.formatting import percent
from vitrail.plots import style
from vitrail.plots.thumbnail import thumbnail

if TYPE_CHECKING:
    import matplotlib.axes

_IMAGE, _BARS = 2.1, 3.4  # inches: an image's side, the longest bar
_BETWEEN_ROWS, _BESIDE_IMAGE = 0.55, 0.25  # inches


@dataclass(frozen=True)
class Guess:
    """One image and what it was taken for.

    Attributes:
        image: (height, width, 3), RGB.
        names: the classes, most probable first.
        probabilities: of these classes, each in [0, 1].
        title: written above the bars, usually the file's name.
    """

    image: UInt8[np.ndarray, "height width 3"]
    names: Sequence[str]
    probabilities: Sequence[float]
    title: str = ""


def top_bars(guesses: Sequence[Guess]) -> bytes:
    """PNG with one row per image (at least one): the image left, its classes and their probabilities right.

    Raises:
        MissingExtra: matplotlib is not installed.
    """
    height = len(guesses) * (_IMAGE + _BETWEEN_ROWS) - _BETWEEN_ROWS
    figure = style.canvas(_BARS, height)
    step, share = (_IMAGE + _BETWEEN_ROWS) / height, _IMAGE / height
    bottoms = [1 - share - row * step for row in range(len(guesses))]
    bars = [figure.add_axes((0, bottom, 1, share)) for bottom in bottoms]
    for axes, guess in zip(bars, guesses, strict=True):
        _draw_bars(axes, guess)
    # Only now is it known how far the names reach to the left; the images stand beyond the longest.
    style.use_installed_fonts(figure)
    left = min(box.x0 for axes in bars if (box := axes.get_tightbbox()))
    edge = left / figure.bbox.width - _BESIDE_IMAGE / _BARS
    for bottom, guess in zip(bottoms, guesses, strict=True):
        place = figure.add_axes((edge - _IMAGE / _BARS, bottom, _IMAGE / _BARS, share), anchor="NE")
        place.imshow(thumbnail(guess.image, 2 * round(_IMAGE * style.DPI)))
        place.set_axis_off()
    return style.png(figure)


def _draw_bars(axes: "matplotlib.axes.Axes", guess: Guess) -> None:
    ranks = range(len(guess.names))
    colours = [style.BLUE, *[style.SKY] * len(guess.names)]
    axes.barh(ranks, guess.probabilities, height=0.62, color=colours[: len(guess.names)])
    for rank, probability in zip(ranks, guess.probabilities, strict=True):
        axes.text(probability + 0.015, rank, percent(probability), va="center", fontsize=style.SMALL, color=style.INK)
    style.style_axes(axes, grid="", sides=("left",))
    axes.set_xlim(0, 1)
    axes.set_ylim(max(len(guess.names), 5) - 0.45, -0.55)  # few classes keep thin bars, at the top
    axes.set_xticks([])
    axes.set_yticks(ranks, [style.label(name) for name in guess.names], fontsize=style.BODY)
    axes.tick_params(axis="y", length=0)
    axes.set_title(style.label(guess.title, 60), fontsize=style.SMALL, color=style.MUTED, loc="left", pad=4)
