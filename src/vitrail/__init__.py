"""Vitrail: a classifier from a folder of images, and a look inside it."""

from typing import Any

from vitrail.version import __version__

__all__ = ["__version__", "load"]


def __getattr__(name: str) -> Any:
    if name == "load":  # imports torch, so only when asked for
        from vitrail.transfer.classifier import load

        return load
    raise AttributeError(f"module 'vitrail' has no attribute {name!r}")
