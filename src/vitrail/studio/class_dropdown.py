"""A dropdown with the classes of a network."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import gradio as gr

from vitrail.backbones import BACKBONES
from vitrail.errors import VitrailError
from vitrail.reading import read_json
from vitrail.studio.context import EVENT_OPTIONS, StudioContext


def class_dropdown(context: StudioContext, network: gr.Dropdown, label: str, *, first: str) -> gr.Dropdown:
    """A choice of the network's classes, updated when another network is chosen; `first` is an additional choice."""
    choices = [first, *visible_classes(context, str(network.value or ""))]
    dropdown = gr.Dropdown(choices, value=first, label=label, allow_custom_value=True)

    def update(name: str) -> gr.Dropdown:
        return gr.Dropdown([first, *visible_classes(context, name)], value=first)

    network.change(update, [network], [dropdown], **EVENT_OPTIONS)
    return dropdown


def visible_classes(context: StudioContext, network: str) -> tuple[str, ...]:
    """The classes of a network; none if it is not one of the page's, or if they are unknown."""
    return classes_of(network) if network in context.networks() else ()


@lru_cache(maxsize=32)
def classes_of(network: str) -> tuple[str, ...]:
    """The classes of a network, or of a classifier's run folder; empty if they are unknown without opening it."""
    folder = Path(network)
    if network and (folder / "settings.json").is_file():
        try:
            return tuple(map(str, read_json(folder / "weights" / "head.json", within=folder)["classes"]))
        except (OSError, ValueError, KeyError, TypeError):
            return ()
    try:
        spec = BACKBONES[network]
    except VitrailError:
        return ()
    from vitrail.backbones.imagenet import imagenet_classes

    return tuple(imagenet_classes() if spec.classes is None else spec.classes)
