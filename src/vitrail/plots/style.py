"""The one look of all figures, and the only place that imports matplotlib.

Nothing here touches matplotlib's global state (no pyplot, no rcParams), so figures can be drawn in several threads.
Colours: Okabe and Ito, "Color universal design", 2008, https://jfly.uni-koeln.de/color/.
"""

import io
import os
import sys
from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from vitrail.errors import MissingExtra
from vitrail.plots.labels import escape_missing_glyphs, readable, shorten

if TYPE_CHECKING:
    import matplotlib.axes
    import matplotlib.axis
    import matplotlib.colors
    import matplotlib.figure
    import numpy as np

BLUE, ORANGE, GREEN, RED, PURPLE, SKY = "#0072b2", "#e69f00", "#009e73", "#d55e00", "#cc79a7", "#56b4e9"
PALETTE = (BLUE, ORANGE, GREEN, PURPLE, RED, SKY)
INK, MUTED, RULE, PALE = "#1a1f24", "#5b6570", "#e3e7eb", "#eef1f4"
# White to dark blue in equal steps of CIELAB lightness, 98 to 24.
RAMP = ("#f6fafd", "#c7e3f7", "#9ccbee", "#74b2e2", "#4c9ad4", "#2181c2", "#0069ad", "#005194", "#003b77")

DPI = 110
TITLE, BODY, SMALL = 11.5, 10.0, 8.5  # points
NEEDED = "Figures need matplotlib, which is not installed; pip install 'vitrail[report]' brings it."
MARGIN = 0.14  # inches around everything drawn

# DejaVu Sans comes with matplotlib; the others are used where the system has them, for scripts it lacks.
_FAMILIES = (
    "DejaVu Sans",
    "Noto Sans CJK SC",
    "Noto Sans CJK JP",
    "Microsoft YaHei",
    "PingFang SC",
    "Hiragino Sans",
    "Malgun Gothic",
    "Noto Sans Devanagari",
    "Nirmala UI",
    "Arial Unicode MS",
)


def _import_matplotlib() -> None:
    """Imports matplotlib without the settings of the current folder, which may hold somebody else's files.

    They could start LaTeX, or be a pipe. The user's own settings are read.

    Raises:
        ImportError: it is not installed.
    """
    if "matplotlib" not in sys.modules:
        exists = os.path.exists
        os.path.exists = lambda path: path != "matplotlibrc" and exists(path)
        try:
            import matplotlib
        finally:
            os.path.exists = exists
        assert matplotlib


def canvas(width: float, height: float) -> "matplotlib.figure.Figure":
    """An empty white figure, in inches; what is drawn beyond its borders is kept, see `png`.

    Raises:
        MissingExtra: matplotlib is not installed.
    """
    try:
        _import_matplotlib()
        from matplotlib.figure import Figure
    except ImportError:
        raise MissingExtra(NEEDED) from None
    return Figure(figsize=(width, height), dpi=DPI, facecolor="white")


def png(figure: "matplotlib.figure.Figure") -> bytes:
    """The figure as a PNG that grows or shrinks to hold all that was drawn, so that no label is ever cut."""
    use_installed_fonts(figure)
    # Measured here, as `bbox_inches="tight"` would draw everything twice to find the same box.
    box = figure.get_tightbbox().padded(MARGIN)
    out = io.BytesIO()
    # Without the library's version in the file, the same figures give the same bytes.
    figure.savefig(out, format="png", bbox_inches=box, metadata={"Software": None})
    return out.getvalue()


def use_installed_fonts(figure: "matplotlib.figure.Figure") -> None:
    """Have all texts drawn as they are, in fonts that have them; a class may be called "$x_1$", which is no formula.

    Done for a whole figure, so that none can forget it; a text must not be measured before.
    """
    from matplotlib.text import Text

    for text in figure.findobj(Text):
        text.set_parse_math(False)
        text.set_fontfamily(families())


def label(text: str, limit: int = 32) -> str:
    """A name as the figures write it: no hidden characters, no empty boxes, at most `limit` characters."""
    return shorten(escape_missing_glyphs(readable(text), lambda character: ord(character) in _covered()), limit)


def legend(axes: "matplotlib.axes.Axes", handles: Sequence[Any], names: Sequence[str], **look: Any) -> None:
    """Names beside their lines; those that begin with an underscore too, which matplotlib leaves out."""
    made = axes.legend(handles, ["-"] * len(names), fontsize=SMALL, **look)
    for text, name in zip(made.get_texts(), names, strict=True):
        text.set_text(label(name))


def percent_ticks(axis: "matplotlib.axis.Axis") -> None:
    """Write the ticks of an axis of shares in percent, and none beyond 100 %."""
    axis.set_major_formatter(lambda share, _: f"{round(100 * share, 6):g}\u00a0%" if share < 1.001 else "")


def style_axes(axes: "matplotlib.axes.Axes", *, grid: str = "both", sides: Sequence[str] = ("left", "bottom")) -> None:
    """Quiet axes: thin grey rules behind the data along `grid` ("x", "y", "both" or ""), spines on `sides` only."""
    for side, spine in axes.spines.items():
        spine.set_visible(side in sides)
        spine.set_color(MUTED)
        spine.set_linewidth(0.8)
    axes.tick_params(which="both", color=MUTED, labelcolor=INK, labelsize=SMALL, width=0.8, length=3)
    axes.tick_params(which="minor", length=0)
    axes.set_axisbelow(True)
    for direction in ("x", "y"):
        if grid in (direction, "both"):
            axes.grid(True, axis=direction, color=RULE, linewidth=0.8)


def ramp() -> "matplotlib.colors.Colormap":
    """Colours from nearly white (0) to dark blue (1), perceptually uniform."""
    from matplotlib.colors import LinearSegmentedColormap

    return LinearSegmentedColormap.from_list("ramp", RAMP)


def coloured(name: str, values: "np.ndarray") -> "np.ndarray":
    """Values in [0, 1], (H, W), as (H, W, 3) of 8 bits in one of matplotlib's colour maps.

    Raises:
        MissingExtra: matplotlib is not installed.
    """
    try:
        _import_matplotlib()
        from matplotlib import colormaps
    except ImportError:
        raise MissingExtra(NEEDED) from None
    colours: np.ndarray = colormaps[name](values, bytes=True)[..., :3]
    return colours


@lru_cache(maxsize=1)
def families() -> list[str]:
    """The font families to look a glyph up in, in this order; all are installed."""
    _import_matplotlib()
    from matplotlib.font_manager import fontManager

    installed = {font.name for font in fontManager.ttflist}
    return [family for family in _FAMILIES if family in installed]


@lru_cache(maxsize=1)
def _covered() -> frozenset[int]:
    from matplotlib.font_manager import findfont, get_font

    return frozenset(code for family in families() for code in get_font(findfont(family)).get_charmap())
