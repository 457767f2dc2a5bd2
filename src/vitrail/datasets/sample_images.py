"""Photographs that come with scikit-image: CC0 or public domain."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from vitrail.errors import MissingExtra

FILES = ("chelsea.png", "coffee.png", "rocket.jpg")


def sample_images() -> list[Path]:
    """The files of the sample photographs, in scikit-image's package, which is not imported.

    Raises:
        MissingExtra: scikit-image is not installed.
    """
    spec = find_spec("skimage")
    if spec is None or not spec.submodule_search_locations:
        raise MissingExtra("The sample images are not installed. Use `pip install 'vitrail[demo]'`.")
    return [Path(spec.submodule_search_locations[0]) / "data" / name for name in FILES]
