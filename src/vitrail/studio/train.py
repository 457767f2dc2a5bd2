"""Tab Train: a classifier from a folder of images."""

from __future__ import annotations

from collections.abc import Sequence
from secrets import token_hex
from typing import Any

import gradio as gr

from vitrail.backbones import DEFAULT_BACKBONE
from vitrail.errors import BadSetting
from vitrail.formatting import interval, percent
from vitrail.studio import html
from vitrail.studio.context import (
    Controls,
    StudioContext,
    TaskSettings,
    connect,
    output_panels,
    run_buttons,
)
from vitrail.studio.inputs import changed_settings, other_settings
from vitrail.studio.jobs import Step
from vitrail.studio.run_monitor import RunMonitor
from vitrail.studio.uploads import ZIP_BYTES, allowed_data, checked_upload, clean, unpacked
from vitrail.tasks.transfer import Transfer


def screen(context: StudioContext) -> tuple[gr.State, gr.Button]:
    """Builds the tab; returns the run folder of the last classifier, and the button that opens it in other tabs."""
    with gr.Row():
        with gr.Column(scale=1, min_width=280):
            folder = gr.Textbox(
                "digits", label="Folder of class folders", info="On this machine; digits: packaged data set", lines=1
            )
            archive = gr.File(
                label=f"or a zip file of class folders (at most {ZIP_BYTES // 1_000_000} MB unpacked)",
                file_types=[".zip"],
                type="filepath",
            )
            networks = context.networks()
            default = DEFAULT_BACKBONE if DEFAULT_BACKBONE in networks else networks[0]
            backbone = gr.Dropdown(networks, value=[default], label="Networks", multiselect=True)
            names, others = other_settings(Transfer, ("folder", "backbone"))
            run, stop = run_buttons("Train")
            use = gr.Button("Use this classifier", interactive=False)
        with gr.Column(scale=2, min_width=320):
            status, output = output_panels()

    def plan(where: str, zipped: str | None, chosen: Sequence[str], *more: Any) -> list[TaskSettings]:
        if not chosen:
            raise BadSetting(f"No network is chosen. Use e.g. {DEFAULT_BACKBONE}.")
        settings = {
            "backbone": [context.check_network(name) for name in chosen],
            **changed_settings(Transfer, names, more),
        }
        Step.of("transfer", {"folder": where or "digits", **settings})  # before a zip is unpacked
        return [("transfer", {"folder": _data(context, where, zipped), **settings})]

    completed = connect(
        context, Controls(run, stop, status, output), [folder, archive, backbone, *others], plan, render
    )
    completed.change(lambda path: gr.Button(interactive=bool(path)), [completed], [use], api_visibility="private")
    return completed, use


def _data(context: StudioContext, where: str, zipped: str | None) -> str:
    if zipped:
        archive = checked_upload(zipped, context.uploads)
        home = context.uploads / "sets" / token_hex(16)
        folder = unpacked(archive, home)
        clean(context.uploads, f"{context.jobs.named_by_open()} {home}")
        return str(folder)
    return allowed_data(where, context.roots)


def render(monitors: Sequence[RunMonitor]) -> str:
    """The test accuracy with its confidence interval, and everything the run contains."""
    (monitor,) = monitors
    test = monitor.result().get("test")
    if not isinstance(test, dict):
        return html.note_list(monitor)
    accuracy = f"Test accuracy {percent(test['accuracy'])} on {test['n']} images"
    return html.verdict(True, f"{accuracy} (95 % interval {interval(*test['interval'])}).") + html.finished_html(
        monitor.folder
    )
