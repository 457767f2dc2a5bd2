"""Class visualisation: images that raise the score of a class or channel of a network.

`parametrisations` defines the variables that are optimised, `transforms` the random transformations before each forward
pass, `render` the ascent by Adam, `pixel_ascent` the ascent on plain pixels, `batches` runs them by method name and
`measurement` says what this network and a second one see in the saved images.
"""

from typing import TYPE_CHECKING

from vitrail.registry import lazy_names

if TYPE_CHECKING:
    from vitrail.visualisation.batches import Renderer as Renderer
    from vitrail.visualisation.batches import Variant as Variant
    from vitrail.visualisation.batches import variants as variants
    from vitrail.visualisation.batches import visualise as visualise
    from vitrail.visualisation.parametrisations import Parametrisation as Parametrisation
    from vitrail.visualisation.parametrisations import fourier as fourier
    from vitrail.visualisation.parametrisations import maco as maco
    from vitrail.visualisation.pixel_ascent import PixelAscentOptions as PixelAscentOptions
    from vitrail.visualisation.pixel_ascent import gaussian_noise as gaussian_noise
    from vitrail.visualisation.pixel_ascent import pixel_ascent as pixel_ascent
    from vitrail.visualisation.render import AscentOptions as AscentOptions
    from vitrail.visualisation.render import Frame as Frame
    from vitrail.visualisation.render import render as render
    from vitrail.visualisation.spectrum import Spectrum as Spectrum
    from vitrail.visualisation.spectrum import measure_spectrum as measure_spectrum
    from vitrail.visualisation.spectrum import natural_spectrum as natural_spectrum
    from vitrail.visualisation.targets import VisualisationTarget as VisualisationTarget
    from vitrail.visualisation.targets import relative_logits as relative_logits
    from vitrail.visualisation.targets import target_scores as target_scores
    from vitrail.visualisation.transforms import RandomTransforms as RandomTransforms
    from vitrail.visualisation.transforms import blur as blur
    from vitrail.visualisation.transforms import jitter as jitter

__all__ = [
    "AscentOptions",
    "Frame",
    "Parametrisation",
    "PixelAscentOptions",
    "RandomTransforms",
    "Renderer",
    "Spectrum",
    "Variant",
    "VisualisationTarget",
    "blur",
    "fourier",
    "gaussian_noise",
    "jitter",
    "maco",
    "measure_spectrum",
    "natural_spectrum",
    "pixel_ascent",
    "relative_logits",
    "render",
    "target_scores",
    "variants",
    "visualise",
]

lazy_names(
    __name__,
    {
        "AscentOptions": "vitrail.visualisation.render",
        "Frame": "vitrail.visualisation.render",
        "Parametrisation": "vitrail.visualisation.parametrisations",
        "PixelAscentOptions": "vitrail.visualisation.pixel_ascent",
        "RandomTransforms": "vitrail.visualisation.transforms",
        "Renderer": "vitrail.visualisation.batches",
        "Spectrum": "vitrail.visualisation.spectrum",
        "Variant": "vitrail.visualisation.batches",
        "VisualisationTarget": "vitrail.visualisation.targets",
        "blur": "vitrail.visualisation.transforms",
        "fourier": "vitrail.visualisation.parametrisations",
        "gaussian_noise": "vitrail.visualisation.pixel_ascent",
        "jitter": "vitrail.visualisation.transforms",
        "maco": "vitrail.visualisation.parametrisations",
        "measure_spectrum": "vitrail.visualisation.spectrum",
        "natural_spectrum": "vitrail.visualisation.spectrum",
        "pixel_ascent": "vitrail.visualisation.pixel_ascent",
        "relative_logits": "vitrail.visualisation.targets",
        "render": "vitrail.visualisation.render",
        "target_scores": "vitrail.visualisation.targets",
        "variants": "vitrail.visualisation.batches",
        "visualise": "vitrail.visualisation.batches",
    },
)
