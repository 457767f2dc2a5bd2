"""What a network believes a class looks like: images made to raise a score.

`parametrisations` say what is changed, `transforms` how the network is shown it, `render` and `lab` how it is climbed.
"""

from vitrail.visualisation.goals import Goal, distinct_scores, goal_scores
from vitrail.visualisation.lab import LabRule, lab, noise
from vitrail.visualisation.parametrisations import Parametrisation, fourier, maco, pixels
from vitrail.visualisation.render import Ascent, Frame, render
from vitrail.visualisation.spectrum import Spectrum, natural_spectrum, spectrum_of
from vitrail.visualisation.transforms import Views, blur, jitter, view

__all__ = [
    "Ascent",
    "Frame",
    "Goal",
    "LabRule",
    "Parametrisation",
    "Spectrum",
    "Views",
    "blur",
    "distinct_scores",
    "fourier",
    "goal_scores",
    "jitter",
    "lab",
    "maco",
    "natural_spectrum",
    "noise",
    "pixels",
    "render",
    "spectrum_of",
    "view",
]
