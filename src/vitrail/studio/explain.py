"""Tab Explain: the likeliest classes of an image, and maps of the pixels that support one of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import gradio as gr

from vitrail.attributions import ATTRIBUTIONS, DEFAULT_METHOD
from vitrail.studio import html
from vitrail.studio.context import (
    Controls,
    StudioContext,
    TaskSettings,
    connect,
    output_panels,
    run_buttons,
)
from vitrail.studio.inputs import (
    changed_settings,
    image_input,
    misclassified_dropdown,
    network_input,
    other_settings,
    provided_image,
    weights_file,
)
from vitrail.studio.run_monitor import RunMonitor
from vitrail.tasks.explain import Explain

SET_OPACITY = "(share) => { document.documentElement.style.setProperty('--opacity', share); return []; }"


def screen(context: StudioContext) -> gr.Dropdown:
    """Builds the tab; returns the choice of the network."""
    with gr.Row():
        with gr.Column(scale=1, min_width=280):
            image = image_input()
            network, file = network_input(context)
            misclassified_dropdown(network, image, context)
            methods = [each for each in ATTRIBUTIONS if not each.endswith(":")]
            method = gr.CheckboxGroup(methods, value=[DEFAULT_METHOD], label="Methods")
            target = gr.Textbox("@top", label="Class to explain", info="Name or number; @top: the likeliest class")
            names, others = other_settings(Explain, ("images", "method", "target", "backbone", "faithfulness"))
            run, stop = run_buttons("Explain")
        with gr.Column(scale=2, min_width=320):
            status, output = output_panels()
            opacity = gr.Slider(0, 1, 0.6, label="Opacity of the maps", elem_id="opacity")
            opacity.input(None, [opacity], [], js=SET_OPACITY)

    def plan(path: str | None, backbone: str, own: str | None, *values: Any) -> list[TaskSettings]:
        chosen_methods, chosen_target, *more = values
        image_file, network_name = provided_image(path, context), context.check_network(backbone)
        settings = {"backbone": [network_name], "target": chosen_target or "@top", **weights_file(own, context)}
        settings |= {"method": chosen_methods} if chosen_methods else {}
        return [
            prediction(image_file, network_name, weights_file(own, context), is_run=Path(network_name).is_dir()),
            ("explain", {"images": [image_file], **settings, **changed_settings(Explain, names, more)}),
        ]

    connect(context, Controls(run, stop, status, output), [image, network, file, method, target, *others], plan, render)
    return network


def prediction(image: str, network: str, weights: Mapping[str, str], *, is_run: bool) -> TaskSettings:
    """The task that classifies an image: `predict` for a classifier's run folder, `classify` for a named network."""
    if is_run:
        return "predict", {"classifier": network, "images": [image], "top_k": 5}
    return "classify", {"images": [image], "backbone": network, "top_k": 5, **weights}


def render(monitors: Sequence[RunMonitor]) -> str:
    """The five likeliest classes, and the maps."""
    predicted, explained = (monitor.result().get("images") or [] for monitor in monitors)
    parts = [html.probability_bars("Predicted classes", entry["top"]) for entry in predicted]
    for entry in explained:
        title = f"Pixels that support {entry['target']['name']}"
        parts.append(html.overlays(title, monitors[1], entry["maps"]))
    return "".join(parts)
