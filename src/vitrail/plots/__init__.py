"""Figures: arrays and names in, PNG bytes out. To add one: a file here and two lines below."""

from vitrail.plots.animation import animation, encode_mp4
from vitrail.plots.bars import Guess, top_bars
from vitrail.plots.colours import apply_colormap, is_signed, magnified_difference, overlay
from vitrail.plots.comparison import Interval, comparison
from vitrail.plots.confusion import confusion
from vitrail.plots.contact_sheet import contact_sheet
from vitrail.plots.curves import Axis, Line, curve
from vitrail.plots.grid import grid
from vitrail.plots.panels import Panel, Scale, panels
from vitrail.plots.per_class import per_class
from vitrail.plots.regions import region
from vitrail.plots.scores import Score, scores
from vitrail.plots.small_multiples import SmallMultiple, small_multiples
from vitrail.plots.thumbnail import load_thumbnail, load_tile

__all__ = [
    "Axis",
    "Guess",
    "Interval",
    "Line",
    "SmallMultiple",
    "Panel",
    "Scale",
    "Score",
    "animation",
    "comparison",
    "confusion",
    "contact_sheet",
    "curve",
    "encode_mp4",
    "grid",
    "apply_colormap",
    "is_signed",
    "load_thumbnail",
    "load_tile",
    "magnified_difference",
    "overlay",
    "small_multiples",
    "panels",
    "per_class",
    "region",
    "scores",
    "top_bars",
]
