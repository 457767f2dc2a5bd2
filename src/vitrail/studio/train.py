"""Tab Train: a classifier from a folder of images."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import gradio as gr

from vitrail.backbones import DEFAULT_BACKBONE
from vitrail.errors import BadSetting
from vitrail.formatting import interval, percent
from vitrail.plots.labels import readable, shorten
from vitrail.runs import read_run
from vitrail.studio import html
from vitrail.studio.context import (
    Controls,
    StudioContext,
    TaskSettings,
    connect,
    output_panels,
    run_buttons,
)
from vitrail.studio.data_input import chosen_data, data_input
from vitrail.studio.inputs import changed_settings, other_settings
from vitrail.studio.jobs import Step
from vitrail.studio.run_monitor import RunMonitor
from vitrail.tasks.check_report import SUSPECTS
from vitrail.tasks.transfer import Transfer


def screen(context: StudioContext) -> tuple[gr.State, gr.Button, gr.Dropdown]:
    """Builds the tab; returns the last run folder, the button that opens it elsewhere, and the choice of a check."""
    with gr.Row():
        with gr.Column(scale=1, min_width=280):
            folder, archive = data_input("Folder of class folders")
            suspects = gr.Dropdown(
                suspect_choices(context), value="", label="Leave out", info="The suspects of a check of these images"
            )
            networks = context.networks()
            default = DEFAULT_BACKBONE if DEFAULT_BACKBONE in networks else networks[0]
            backbone = gr.Dropdown(networks, value=[default], label="Networks", multiselect=True)
            names, others = other_settings(Transfer, ("folder", "backbone"))
            run, stop = run_buttons("Train")
            use = gr.Button("Use this classifier", interactive=False)
        with gr.Column(scale=2, min_width=320):
            status, output = output_panels()

    def plan(
        where: str, zipped: str | None, check: str | None, chosen: Sequence[str], *more: Any
    ) -> list[TaskSettings]:
        if not chosen:
            raise BadSetting(f"No network is chosen. Use e.g. {DEFAULT_BACKBONE}.")
        settings = {
            "backbone": [context.check_network(name) for name in chosen],
            **changed_settings(Transfer, names, more),
            **_left_out(context, check),
        }
        Step.of("transfer", {"folder": where or "digits", **settings})  # before a zip is unpacked
        return [("transfer", {"folder": chosen_data(context, where or "digits", zipped), **settings})]

    completed = connect(
        context, Controls(run, stop, status, output), [folder, archive, suspects, backbone, *others], plan, render
    )
    completed.change(lambda path: gr.Button(interactive=bool(path)), [completed], [use], api_visibility="private")
    return completed, use, suspects


def suspect_choices(context: StudioContext) -> list[tuple[str, str]]:
    """Nothing, and the finished checks, the latest first."""
    return [("nothing", ""), *((f"{Path(run).name}: {_data_of(run)}", run) for run in context.runs_of("check"))]


def _data_of(run: str) -> str:
    """As any page can show it: a run folder may say anything."""
    return shorten(readable(Path(str(read_run(Path(run)).settings.get("folder"))).name))


def _left_out(context: StudioContext, check: str | None) -> dict[str, str]:
    """The setting `leave_out`, if a check was chosen."""
    return {"leave_out": str(Path(context.find_run(check)) / SUSPECTS)} if check else {}


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
