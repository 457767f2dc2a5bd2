"""Classes of a network by name, completed while one types."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import gradio as gr

from vitrail.backbones import BACKBONES
from vitrail.errors import VitrailError
from vitrail.files import read_json


def completing(network: gr.Dropdown, label: str, *, first: str = "") -> gr.Dropdown:
    """A choice of that network's classes; it changes when the network does."""
    start = classes_of(str(network.value or ""))
    words = [first] if first else []
    chosen = gr.Dropdown(
        [*words, *start], value=first or (start[0] if start else None), label=label, allow_custom_value=True
    )

    def other(name: str) -> gr.Dropdown:
        found = classes_of(name)
        return gr.Dropdown([*words, *found], value=first or (found[0] if found else None))

    network.change(other, [network], [chosen], concurrency_limit=None, api_visibility="private")
    return chosen


@lru_cache(maxsize=32)
def classes_of(name: str) -> tuple[str, ...]:
    """The classes of a network, or of a classifier's run folder; none where they cannot be known without opening it."""
    folder = Path(name)
    if name and (folder / "weights").is_dir():
        try:
            about = read_json(folder / "weights" / "head.json")
            return tuple(map(str, about["classes"]))
        except (OSError, ValueError, KeyError, TypeError):
            return ()
    try:
        spec = BACKBONES[name]
    except VitrailError:
        return ()
    from vitrail.backbones.imagenet import imagenet_classes

    return tuple(imagenet_classes() if spec.classes is None else spec.classes)
