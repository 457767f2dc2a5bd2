"""Tab Attack: an adversarial image, and the check of the saved file."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import gradio as gr

from vitrail.attacks import ATTACKS, DEFAULT_ATTACK
from vitrail.formatting import percent
from vitrail.report.contents import EmbeddedImage
from vitrail.studio import html
from vitrail.studio.class_dropdown import class_dropdown
from vitrail.studio.context import (
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
from vitrail.tasks.attack import Attack

PREVIEWS = {"adversarial": "Adversarial image so far", "difference": "Perturbation, magnified"}
DOWNLOAD = "Adversarial image, as saved"


def screen(context: StudioContext) -> gr.Dropdown:
    """Builds the tab; returns the choice of the network."""
    with gr.Row():
        with gr.Column(scale=1, min_width=280):
            image = image_input()
            network, file = network_input(context)
            target = class_dropdown(context, network, "Target class", first="@any")
            method = gr.Dropdown([*ATTACKS], value=DEFAULT_ATTACK, label="Attack")
            epsilon = gr.Textbox(
                "", label="Epsilon", info="Perturbation budget, for images in [0, 1]; some attacks need it"
            )
            names, others = other_settings(Attack, ("images", "target", "method", "backbone", "epsilon"))
            run, stop = run_buttons("Attack")
        with gr.Column(scale=2, min_width=320):
            status, output = output_panels()

    def plan(path: str | None, backbone: str, own: str | None, *values: Any) -> list[TaskSettings]:
        chosen_target, attack, budget, *more = values
        settings = {
            "images": [provided_image(path, context)],
            "backbone": context.check_network(backbone),
            "target": [chosen_target or "@any"],
            "method": attack,
            "preview_every": REFRESH_SECONDS,
            **weights_file(own, context),
            **({"epsilon": budget} if budget else {}),
            **changed_settings(Attack, names, more),
        }
        return [("attack", settings)]

    inputs = [image, network, file, target, method, epsilon, *others]
    connect(context, Controls(run, stop, status, output), inputs, plan, render)
    return network


def render(monitors: Sequence[RunMonitor]) -> str:
    """The image and the perturbation while the attack runs; then the check of the saved file."""
    (monitor,) = monitors
    trace = monitor.previews.get("adversarial", [])
    key = "probability_of_old_class" if trace and "probability_of_old_class" in trace[0] else "probability"
    name = "original class" if key == "probability_of_old_class" else "target class"
    series = {name: [each[key] for each in trace if key in each]}
    chart = html.line_chart("Probability", series, shares=True)
    entries = monitor.result().get("images") or []
    if not entries:
        return html.preview_images(monitor, PREVIEWS) + chart
    return "".join(_verdict(monitor, entry) for entry in entries) + chart


def _verdict(monitor: RunMonitor, entry: dict[str, Any]) -> str:
    source, result = entry["source"], entry["result"]
    after = f"{result['name']} ({percent(result['probability'])})"
    before = f"{source['name']} ({percent(source['probability'])})"
    size = f"L2 {entry['l2']:.3f}, L∞ {entry['linf'] * 255:.0f}/255, {entry['forwards']} forward passes"
    if entry["verified"]:
        text = f"The saved PNG is classified as {after}, the original as {before}. Perturbation: {size}."
    else:
        text = f"No success: the image is still classified as {after}. Use more steps or another attack."
    file = str(entry.get("output", ""))
    shown = [
        EmbeddedImage(
            "Original, adversarial image and perturbation", html.data_url(monitor.folder, "plots/adversarial.png")
        )
    ]
    if file:
        shown.append(EmbeddedImage(DOWNLOAD, html.data_url(monitor.folder, file)))
    shown = [image for image in shown if image.source]
    return html.verdict(entry["verified"], text) + html.images(shown, {DOWNLOAD: file.rpartition("/")[2]})
