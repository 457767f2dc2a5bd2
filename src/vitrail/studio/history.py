"""Runs: what waits, what was done; to look at, compare, repeat and take home."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import gradio as gr

from vitrail.errors import BadSetting, VitrailError
from vitrail.runs import read_run
from vitrail.studio import fragments
from vitrail.studio.desk import QUIET, Controls, Desk, buttons, results, wire
from vitrail.studio.standing import Standing

SECONDS = 2.0
MOST = 200  # runs in the list


def screen(desk: Desk) -> gr.Dropdown:
    """Builds it; gives the choice of runs."""
    queue = gr.HTML(fragments.queue([]), elem_classes="status")
    with gr.Row():
        waiting = gr.Dropdown([], label="Job", interactive=True)
        cancel = gr.Button("Stop this job", variant="stop")
    with gr.Row():
        chosen = gr.Dropdown([], label="Runs", multiselect=True)
        again = gr.Button("Read the list again")
    with gr.Row():
        show, report = gr.Button("Show", variant="primary"), gr.Button("Make a report")
        page = gr.DownloadButton("Download the report", visible=False)
    shown = gr.HTML("", elem_classes="found")
    with gr.Tabs():
        with gr.Tab("Compare"):
            _task(desk, "Compare these runs", chosen, partial(_compared, desk))
        with gr.Tab("Repeat"):
            _task(desk, "Repeat this run", chosen, partial(_repeated, desk))

    gr.Timer(SECONDS).tick(lambda: _queue(desk), None, [queue, waiting], **QUIET)
    cancel.click(lambda identity: _cancelled(desk, identity), [waiting], [queue], **QUIET)

    def listed(request: gr.Request) -> gr.Dropdown:
        return gr.Dropdown(all_runs(desk, str(request.session_hash)))

    def show_them(names: Sequence[str], request: gr.Request) -> str:
        return _shown(desk, names, str(request.session_hash))

    def make_report(names: Sequence[str], request: gr.Request) -> tuple[str, gr.DownloadButton]:
        return _report(desk, names, str(request.session_hash))

    again.click(listed, None, [chosen], **QUIET)
    show.click(show_them, [chosen], [shown], **QUIET)
    report.click(make_report, [chosen], [shown, page], **QUIET)
    return chosen


def all_runs(desk: Desk, owner: str) -> list[str]:
    """Run folders that a session may see, the latest first."""
    return [str(path) for path in desk.folders(owner)[:MOST]]


def _shown(desk: Desk, names: Sequence[str], owner: str) -> str:
    try:
        return "".join(fragments.whole(desk.run(name, owner)) for name in names)
    except VitrailError as error:
        return fragments.sentence(str(error))


def _task(desk: Desk, verb: str, chosen: gr.Dropdown, plan: Any) -> None:
    run, stop = buttons(verb)
    status, shown = results()
    wire(desk, Controls(run, stop, status, shown), [chosen], plan, _all)


def _compared(desk: Desk, names: Sequence[str]) -> list[tuple[str, dict[str, Any]]]:
    if len(names) < 2:
        raise BadSetting(f"A comparison needs two runs or more; {len(names)} chosen.")
    return [("compare", {"run_folders": [str(desk.run(name)) for name in names]})]


def _repeated(desk: Desk, names: Sequence[str]) -> list[tuple[str, dict[str, Any]]]:
    if len(names) != 1:
        raise BadSetting(f"One run is repeated at a time; {len(names)} chosen.")
    return [("replay", {"run_folder": str(desk.run(names[0])), "runs": str(desk.runs)})]


def _all(standings: Sequence[Standing]) -> str:
    (standing,) = standings
    return fragments.whole(standing.folder) if standing.over else fragments.notes(standing)


def _queue(desk: Desk) -> tuple[str, gr.Dropdown]:
    jobs = desk.jobs.open()
    choices = [(f"{job.state}: {job.steps[job.at].task}", job.id) for job in jobs]
    return fragments.queue(jobs), gr.Dropdown(choices, value=jobs[0].id if jobs else None)


def _cancelled(desk: Desk, identity: str | None) -> str:
    if identity and (job := desk.jobs.find(identity)):
        desk.jobs.cancel(job)
    return fragments.queue(desk.jobs.open())


def _report(desk: Desk, names: Sequence[str], owner: str) -> tuple[str, gr.DownloadButton]:
    from vitrail.report import build_report

    try:
        folders = [desk.run(name, owner) for name in names]
        for folder in folders:
            read_run(folder)
        page = desk.uploads / f"report-{folders[0].name if folders else ''}.html"
        build_report(folders, page)
    except VitrailError as error:
        return fragments.sentence(str(error)), gr.DownloadButton(visible=False)
    said = f"The report holds {', '.join(folder.name for folder in folders)} in one file."
    return fragments.verdict(True, said), gr.DownloadButton(value=str(page), visible=True)
