"""Tab Runs: the queue, and finished runs, to view, compare, repeat and download."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import gradio as gr

from vitrail.errors import BadSetting, VitrailError
from vitrail.studio import html
from vitrail.studio.context import (
    EVENT_OPTIONS,
    Controls,
    StudioContext,
    TaskSettings,
    connect,
    output_panels,
    run_buttons,
)
from vitrail.studio.run_monitor import RunMonitor

REFRESH_SECONDS = 2.0
MAX_RUNS = 200  # in the list


def screen(context: StudioContext) -> gr.Dropdown:
    """Builds the tab; returns the choice of runs."""
    queue = gr.HTML(html.job_list([]), elem_classes="status")
    with gr.Row():
        waiting = gr.Dropdown([], label="Job", interactive=True)
        cancel = gr.Button("Stop this job", variant="stop")
    with gr.Row():
        chosen = gr.Dropdown([], label="Runs", multiselect=True)
        refresh = gr.Button("Refresh the list")
    with gr.Row():
        show, report = gr.Button("Show", variant="primary"), gr.Button("Make a report")
        page = gr.DownloadButton("Download the report", visible=False)
    output = gr.HTML("", elem_classes="results")
    with gr.Tabs():
        with gr.Tab("Compare"):
            _form(context, "Compare these runs", chosen, partial(_plan_comparison, context))
        with gr.Tab("Repeat"):
            _form(context, "Repeat this run", chosen, partial(_plan_replay, context))

    gr.Timer(REFRESH_SECONDS).tick(lambda: _queue(context), None, [queue, waiting], **EVENT_OPTIONS)
    cancel.click(lambda identity: _cancel(context, identity), [waiting], [queue], **EVENT_OPTIONS)
    refresh.click(lambda: gr.Dropdown(all_runs(context)), None, [chosen], **EVENT_OPTIONS)
    show.click(partial(_contents, context), [chosen], [output], **EVENT_OPTIONS)
    report.click(partial(_report, context), [chosen], [output, page], **EVENT_OPTIONS)
    return chosen


def all_runs(context: StudioContext) -> list[str]:
    """Run folders, the latest first."""
    return [str(path) for path in context.run_folders()[:MAX_RUNS]]


def _contents(context: StudioContext, names: Sequence[str] | None) -> str:
    if not names:
        return html.error_html("No run is chosen. Choose one in Runs.")
    try:
        return "".join(html.finished_html(Path(context.find_run(name))) for name in names)
    except VitrailError as error:
        return html.error_html(str(error))


def _form(context: StudioContext, label: str, chosen: gr.Dropdown, plan: Any) -> None:
    run, stop = run_buttons(label)
    status, output = output_panels()
    connect(context, Controls(run, stop, status, output), [chosen], plan, _render)


def _plan_comparison(context: StudioContext, names: Sequence[str] | None) -> list[TaskSettings]:
    names = names or ()
    if len(names) < 2:
        raise BadSetting(f"A comparison needs at least two runs; {len(names)} chosen. Choose more in Runs.")
    return [("compare", {"run_folders": [context.find_run(name) for name in names]})]


def _plan_replay(context: StudioContext, names: Sequence[str] | None) -> list[TaskSettings]:
    names = names or ()
    if len(names) != 1:
        raise BadSetting(f"Only one run can be repeated at a time; {len(names)} chosen.")
    folder = context.find_run(names[0])
    return [("replay", {"run_folder": folder, "runs": str(context.runs)})]


def _render(monitors: Sequence[RunMonitor]) -> str:
    (monitor,) = monitors
    return html.finished_html(monitor.folder) if monitor.finished else html.note_list(monitor)


def _queue(context: StudioContext) -> tuple[str, gr.Dropdown]:
    jobs = context.jobs.open()
    choices = [(f"{html.command_name(job.steps[job.current].task)}, {job.state}", job.id) for job in jobs]
    return html.job_list(jobs), gr.Dropdown(choices, value=jobs[0].id if jobs else None)


def _cancel(context: StudioContext, identity: str | None) -> str:
    if identity and (job := context.jobs.find(identity)):
        context.jobs.cancel(job)
    return html.job_list(context.jobs.open())


def _report(context: StudioContext, names: Sequence[str] | None) -> tuple[str, gr.DownloadButton]:
    from vitrail.report import build_report

    try:
        folders = [Path(context.find_run(name)) for name in names or ()]
        page = context.uploads / "reports" / f"report-{folders[0].name if folders else ''}.html"
        build_report(folders, page)
    except VitrailError as error:
        return html.error_html(str(error)), gr.DownloadButton(visible=False)
    text = f"The report contains {', '.join(folder.name for folder in folders)} in one file."
    return html.verdict(True, text), gr.DownloadButton(value=str(page), visible=True)
