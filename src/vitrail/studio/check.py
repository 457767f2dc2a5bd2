"""Tab Check: what is odd about a folder of images, before anything is learned from it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import gradio as gr

from vitrail.backbones import BACKBONES, DEFAULT_BACKBONE
from vitrail.errors import BadSetting
from vitrail.settings import shortened
from vitrail.studio import html
from vitrail.studio.context import Controls, StudioContext, TaskSettings, connect, output_panels, run_buttons
from vitrail.studio.data_input import chosen_data, data_input
from vitrail.studio.inputs import changed_settings, other_settings
from vitrail.studio.jobs import Step
from vitrail.studio.run_monitor import RunMonitor
from vitrail.tasks.check import Check


def screen(context: StudioContext) -> gr.State:
    """Builds the tab; returns the run folder of the last check."""
    with gr.Row():
        with gr.Column(scale=1, min_width=280):
            folder, archive = data_input("Folder of images, with or without classes")
            networks = [name for name in context.networks() if name in BACKBONES]
            default = DEFAULT_BACKBONE if DEFAULT_BACKBONE in networks else networks[0]
            backbone = gr.Dropdown(networks, value=default, label="Network whose features are compared")
            names, others = other_settings(Check, ("folder", "backbone"))
            run, stop = run_buttons("Check")
        with gr.Column(scale=2, min_width=320):
            status, output = output_panels()

    def plan(where: str, zipped: str | None, network: str, *more: Any) -> list[TaskSettings]:
        if network not in BACKBONES or network not in context.networks():
            raise BadSetting(f"{shortened(network)} is not a network on this machine. Use e.g. {DEFAULT_BACKBONE}.")
        settings = {"backbone": network, **changed_settings(Check, names, more)}
        Step.of("check", {"folder": where or "digits", **settings})  # before a zip is unpacked
        return [("check", {"folder": chosen_data(context, where or "digits", zipped), **settings})]

    return connect(context, Controls(run, stop, status, output), [folder, archive, backbone, *others], plan, render)


def render(monitors: Sequence[RunMonitor]) -> str:
    """What was found, and everything the run contains."""
    (monitor,) = monitors
    result = monitor.result()
    if "leaks" not in result:
        return html.note_list(monitor)
    return html.finished_html(monitor.folder)
