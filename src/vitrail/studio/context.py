"""What all tabs share: the queue, the folders, and how a job is started, followed and stopped from the page."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import gradio as gr

from vitrail.backbones import BACKBONES, DEFAULT_BACKBONE
from vitrail.datasets.sample_images import sample_images
from vitrail.errors import BadRun, BadSetting, MissingExtra, VitrailError
from vitrail.run_writer import new_folder
from vitrail.runs import read_run
from vitrail.settings import shortened
from vitrail.studio import html
from vitrail.studio.jobs import Job, Jobs, Step
from vitrail.studio.run_monitor import RunMonitor

REFRESH_SECONDS = 0.3
"""Between two updates of a running job."""

EVENT_OPTIONS: dict[str, Any] = {"concurrency_limit": None, "show_progress": "hidden", "api_visibility": "private"}
"""Of every event: it waits for no other, covers nothing while it runs, and has no public API endpoint."""

TaskSettings = tuple[str, dict[str, Any]]
"""The name of a task, and its settings."""

Render = Callable[[Sequence[RunMonitor]], str]
PlanTasks = Callable[..., Sequence[TaskSettings]]


@dataclass
class StudioContext:
    """The state of one server.

    Attributes:
        runs: where run folders are made and found.
        roots: folders below which the page may read.
        uploads: where uploaded files are stored and unpacked; see `uploads.PARTS`.
    """

    runs: Path
    roots: tuple[Path, ...]
    uploads: Path
    jobs: Jobs = field(init=False)

    def __post_init__(self) -> None:
        self.jobs = Jobs(self.readable)

    @property
    def readable(self) -> tuple[Path, ...]:
        """Folders below which the page and its tasks may read."""
        return (*self.roots, self.runs, self.uploads, *_packaged())

    def submit(self, tasks: Sequence[TaskSettings]) -> Job:
        """Puts tasks into the queue as one job.

        Raises:
            BadSetting: a setting is wrong, or too many jobs wait.
            CannotWrite: a run folder cannot be made.
        """
        checked = [Step.of(name, settings) for name, settings in tasks]
        return self.jobs.submit([step.in_folder(new_folder(self.runs, step.task)) for step in checked])

    def may_read(self, path: str) -> bool:
        """Whether a file or folder lies, links followed, below a root, the runs, the uploads or the packaged images."""
        try:
            place = Path(path).resolve()
        except (OSError, ValueError, RuntimeError):
            return False
        return any(place.is_relative_to(root.resolve()) for root in self.readable)

    def follow(self, job: Job) -> Iterator[list[RunMonitor]]:
        """The monitors of a job's runs, each time there is news, and once when the job has finished."""
        monitors = [RunMonitor(step.folder) for step in job.steps]
        last: Any = None
        while True:
            finished = job.finished
            news = [monitor.refresh() for monitor in monitors]
            state = job.state, self.jobs.jobs_ahead(job)
            if any(news) or state != last or finished:
                last = state
                yield monitors
            if finished:
                return
            time.sleep(REFRESH_SECONDS)

    def networks(self) -> list[str]:
        """Networks whose weights are on this machine, the default first, and the classifiers among the runs."""
        named = [name for name in BACKBONES if not name.endswith(":") and _has_weights(name)]
        named.sort(key=lambda name: name != DEFAULT_BACKBONE)
        return [*named, *self.runs_of("transfer")]

    def check_network(self, name: str) -> str:
        """The name of a network, or a run folder.

        A browser can name neither a file elsewhere nor a network that would have to be downloaded.

        Raises:
            BadSetting: it is not in `networks`.
        """
        networks = self.networks()
        if name in networks:
            return name
        choices = ", ".join(networks[:4])
        raise BadSetting(f"{shortened(name)} is not a network on this machine. Use one of the list, e.g. {choices}.")

    def find_run(self, name: Any) -> str:
        """A run folder.

        Raises:
            BadRun: there is none of that name.
        """
        if name in map(str, self.run_folders()):
            return str(name)
        raise BadRun(f"{shortened(name)} is not a run in {self.runs}. Use one of the list.")

    def runs_of(self, task: str, *, finished: bool = True) -> list[str]:
        """Folders of one task's runs, the latest first."""
        folders = []
        for folder in self.run_folders():
            try:
                run = read_run(folder)
            except VitrailError:
                continue
            if run.task == task and (run.result is not None or not finished):
                folders.append(str(folder))
        return folders

    def run_folders(self) -> list[Path]:
        """All run folders, the latest first; a link is none, since it can lead anywhere."""
        found = {}
        for path in self.runs.glob("*/settings.json"):
            with suppress(OSError, UnicodeEncodeError):  # one that is being removed; a name that no page can show
                str(path.parent).encode()
                if not path.parent.is_symlink():
                    found[path.parent] = path.parent.stat().st_mtime
        return sorted(found, key=found.__getitem__, reverse=True)


@dataclass(frozen=True)
class Controls:
    """The components of one form.

    Attributes:
        run, stop: buttons.
        status: state of the job.
        output: results.
    """

    run: gr.Button
    stop: gr.Button
    status: gr.HTML
    output: gr.HTML


def run_buttons(label: str) -> tuple[gr.Button, gr.Button]:
    """The buttons that start and stop a job."""
    with gr.Row():
        return gr.Button(label, variant="primary"), gr.Button("Stop", variant="stop", interactive=False)


def output_panels() -> tuple[gr.HTML, gr.HTML]:
    """The panels for the status and the results of a job."""
    return gr.HTML(html.idle_html(), elem_classes="status"), gr.HTML("", elem_classes="results")


def connect(
    context: StudioContext, controls: Controls, inputs: Sequence[Any], plan: PlanTasks, render: Render
) -> gr.State:
    """Connects a form with the queue: one button starts a job and shows it until it has finished, the other stops it.

    Args:
        plan: makes the tasks from the values of the inputs; raises `VitrailError` if one of them is wrong.
        render: makes the HTML of the results so far.

    Returns:
        The folder of the last run that was completed; changes when another one is.
    """
    current, completed = gr.State(""), gr.State("")

    def start(*values: Any) -> Iterator[tuple[Any, ...]]:
        try:
            job = context.submit(plan(*values))
        except VitrailError as error:
            yield "", html.error_html(str(error)), gr.skip(), gr.Button(interactive=False), gr.skip()
            return
        for monitors in context.follow(job):
            status = html.status_html(job, monitors, context.jobs.jobs_ahead(job))
            folder = str(job.steps[-1].folder) if job.state == "done" else gr.skip()
            yield job.id, status, render(monitors), gr.Button(interactive=not job.finished), folder

    def stop(identity: str) -> str:
        job = context.jobs.find(identity)
        if job is None:
            return html.idle_html()
        context.jobs.cancel(job)
        return html.status_html(job, [], 0)

    outputs = [current, controls.status, controls.output, controls.stop, completed]
    controls.run.click(start, list(inputs), outputs, **EVENT_OPTIONS)
    controls.stop.click(stop, [current], [controls.status], **EVENT_OPTIONS)
    return completed


@cache
def _packaged() -> tuple[Path, ...]:
    """The folder of the packaged sample images, if they are installed."""
    try:
        return tuple({path.parent for path in sample_images()})
    except MissingExtra:
        return ()


def _has_weights(name: str) -> bool:
    """Whether the weights are on this machine."""
    return BACKBONES[name].weights_path() is not None
