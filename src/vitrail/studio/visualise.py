"""Tab Visualise: images that maximise the score of a class."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import gradio as gr

from vitrail.errors import BadSetting
from vitrail.formatting import percent
from vitrail.report.contents import EmbeddedImage
from vitrail.studio import html
from vitrail.studio.class_dropdown import visible_classes
from vitrail.studio.context import (
    EVENT_OPTIONS,
    REFRESH_SECONDS,
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
    network_input,
    other_settings,
    provided_image,
    weights_file,
)
from vitrail.studio.run_monitor import RunMonitor
from vitrail.tasks.visualise import Visualise

FIRST_CLASS = "tarantula"
IN_FORM = ("classes", "method", "backbone", "start", "steps", "device", "sweep", "judge")


def screen(context: StudioContext) -> gr.Dropdown:
    """Builds the tab; returns the choice of the network."""
    with gr.Row():
        with gr.Column(scale=1, min_width=280):
            network, file = network_input(context)
            choices = [*visible_classes(context, str(network.value or ""))]
            classes = gr.Dropdown(choices, value=[FIRST_CLASS], label="Classes", multiselect=True, max_choices=12)
            method = gr.Dropdown(["fourier", "maco", "pixels"], value="fourier", label="Method")
            steps = gr.Slider(10, 1000, 200, step=10, label="Steps")
            with gr.Accordion("Start from an image", open=False):
                start = image_input("Start image (default: noise)")
            names, others = other_settings(Visualise, IN_FORM)
            run, stop = run_buttons("Visualise")
        with gr.Column(scale=2, min_width=320):
            status, output = output_panels()

    def plan(backbone: str, own: str | None, chosen: Sequence[str], *values: Any) -> list[TaskSettings]:
        chosen_method, count, path, *more = values
        if not chosen:
            raise BadSetting("No class is chosen. Type part of a name into Classes to find one.")
        settings = {
            "classes": list(chosen),
            "backbone": context.check_network(backbone),
            "method": chosen_method,
            "steps": int(count),
            "preview_every": REFRESH_SECONDS,
            "start": provided_image(path, context) if path else "noise",
            **weights_file(own, context),
            **changed_settings(Visualise, names, more),
        }
        return [("visualise", settings)]

    def update_classes(name: str) -> gr.Dropdown:
        names = visible_classes(context, name)
        first = FIRST_CLASS if FIRST_CLASS in names else names[0] if names else None
        return gr.Dropdown([*names], value=[first] if first else [])

    network.change(update_classes, [network], [classes], **EVENT_OPTIONS)
    inputs = [network, file, classes, method, steps, start, *others]
    connect(context, Controls(run, stop, status, output), inputs, plan, render)
    return network


def render(monitors: Sequence[RunMonitor]) -> str:
    """The images while they are optimised; then the probabilities by this network and by a second one."""
    (monitor,) = monitors
    entries = monitor.result().get("classes") or []
    captions = {name: name.partition("_")[2] for name in monitor.previews}
    series = {
        captions[name]: [each.get("probability", 0.0) for each in trace] for name, trace in monitor.previews.items()
    }
    chart = html.line_chart("Probability of the class", series, shares=True)
    if not entries:
        return html.preview_images(monitor, captions) + chart
    return html.images([image for entry in entries for image in _images(monitor, entry)]) + chart


def _images(monitor: RunMonitor, entry: dict[str, Any]) -> list[EmbeddedImage]:
    caption = f"{entry['name']}: {percent(entry['probability'])}"
    if entry.get("judge_probability") is not None:
        caption += f" (second network: {percent(entry['judge_probability'])})"
    file = str(entry["output"])
    stem = file.removesuffix(".png")
    files = {
        caption: file,
        f"{entry['name']}: animation": f"{stem}.gif",
        f"{entry['name']}: by step": f"{stem}_strip.png",
    }
    return [
        EmbeddedImage(text, source) for text, name in files.items() if (source := html.data_url(monitor.folder, name))
    ]
