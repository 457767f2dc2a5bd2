"""Figures: arrays and names in, PNG bytes out. To add one: a file here and two lines below."""

from vitrail.pictures.animation import animation, film
from vitrail.pictures.bars import Guess, top_bars
from vitrail.pictures.colours import heat, is_signed, magnified_difference, overlay
from vitrail.pictures.comparison import Interval, comparison
from vitrail.pictures.confusion import confusion
from vitrail.pictures.contact_sheet import contact_sheet
from vitrail.pictures.curves import Axis, Line, curve
from vitrail.pictures.grid import grid
from vitrail.pictures.multiples import Multiple, multiples
from vitrail.pictures.panels import Panel, Scale, panels
from vitrail.pictures.per_class import per_class
from vitrail.pictures.regions import region
from vitrail.pictures.scores import Score, scores
from vitrail.pictures.thumbnail import load_thumbnail

__all__ = [
    "Axis",
    "Guess",
    "Interval",
    "Line",
    "Multiple",
    "Panel",
    "Scale",
    "Score",
    "animation",
    "comparison",
    "confusion",
    "contact_sheet",
    "curve",
    "film",
    "grid",
    "heat",
    "is_signed",
    "load_thumbnail",
    "magnified_difference",
    "overlay",
    "multiples",
    "panels",
    "per_class",
    "region",
    "scores",
    "top_bars",
]
