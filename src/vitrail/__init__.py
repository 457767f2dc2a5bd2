"""Vitrail: a classifier from a folder of pictures, and a look inside it."""

from vitrail.version import __version__

__all__ = ["__version__"]
