"""What all screens share: the queue, the folders, and how a job is started, followed and stopped from the page."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import gradio as gr

from vitrail.backbones import BACKBONES
from vitrail.errors import BadRun, BadSetting, VitrailError
from vitrail.runs import new_folder, read_run
from vitrail.studio import fragments
from vitrail.studio.jobs import Job, Jobs, Step
from vitrail.studio.standing import Standing

SECONDS = 0.3
"""From look to look at a job that runs."""

QUIET: dict[str, Any] = {"concurrency_limit": None, "show_progress": "hidden", "api_visibility": "private"}
"""Of every event: it waits for no other one, covers nothing while it works, and is offered to no program."""

Show = Callable[[Sequence[Standing]], str]
Plan = Callable[..., Sequence[tuple[str, dict[str, Any]]]]


@dataclass
class Desk:
    """One server's.

    Attributes:
        runs: where run folders are made and found.
        roots: folders below which this page may read.
        uploads: where what browsers send is unpacked.
    """

    runs: Path
    roots: tuple[Path, ...]
    uploads: Path
    jobs: Jobs = field(default_factory=Jobs)
    _private: dict[Path, str] = field(default_factory=dict)

    def plan(self, owner: str, tasks: Sequence[tuple[str, dict[str, Any]]]) -> Job:
        """Puts tasks into the queue as one job.

        Raises:
            BadSetting: a setting is wrong, or too many jobs wait.
            CannotWrite: there can be no folder for a run.
        """
        checked = [Step.of(name, settings, self.runs) for name, settings in tasks]
        steps = [replace(step, folder=new_folder(self.runs, step.task)) for step in checked]
        for step in steps:
            if str(self.uploads) in str(step.settings):  # what somebody sent is for nobody else while the server runs
                self._private[step.folder] = owner
        return self.jobs.submit(owner, steps)

    def follow(self, job: Job) -> Iterator[list[Standing]]:
        """The standings of a job's tasks, each time something is new, and once when it is over."""
        standings = [Standing(step.folder) for step in job.steps]
        shown: Any = None
        while True:
            over = job.over
            new = [standing.read_on() for standing in standings]
            stamp = job.state, self.jobs.before(job)
            if any(new) or stamp != shown or over:
                shown = stamp
                yield standings
            if over:
                return
            time.sleep(SECONDS)

    def networks(self, owner: str = "") -> list[str]:
        """Networks that can be used offline, and the classifiers among the runs that a session may see."""
        named = [name for name in BACKBONES if not name.endswith(":") and _is_here(name)]
        return [*named, *self.runs_of("transfer", owner)]

    def network(self, name: str) -> str:
        """One of them: nothing else is opened, and nothing downloaded, because a browser asks for it.

        Raises:
            BadSetting: it is none.
        """
        if name in self.networks() or Path(name) in self.folders():
            return name
        raise BadSetting(f"'{name}' is no network on this machine; {', '.join(self.networks()[:4])} would work.")

    def run(self, name: str, owner: str | None = None) -> Path:
        """A run folder of this server's that this session may see.

        Raises:
            BadRun: it is none.
        """
        if Path(name) in self.folders(owner):
            return Path(name)
        raise BadRun(f"'{name}' is no run that is kept here; one of the list would work.")

    def runs_of(self, task: str, owner: str = "", *, finished: bool = True) -> list[str]:
        """Folders of one task's runs that a session may see, the latest first."""
        found = []
        for folder in self.folders(owner):
            try:
                run = read_run(folder)
            except VitrailError:
                continue
            if run.task == task and (run.result is not None or not finished):
                found.append(str(folder))
        return found

    def folders(self, owner: str | None = None) -> list[Path]:
        """All run folders, the latest first; for a session without those made of what others sent."""
        found = [path.parent for path in self.runs.glob("*/settings.json")]
        if owner is not None:
            found = [folder for folder in found if self._private.get(folder, owner) == owner]
        return sorted(found, key=lambda path: path.stat().st_mtime, reverse=True)


@dataclass(frozen=True)
class Controls:
    """Of one screen.

    Attributes:
        run, stop: buttons.
        status, shown: where it is said how things stand, and what has been found.
    """

    run: gr.Button
    stop: gr.Button
    status: gr.HTML
    shown: gr.HTML


def buttons(verb: str) -> tuple[gr.Button, gr.Button]:
    """The two buttons of a screen."""
    with gr.Row():
        return gr.Button(verb, variant="primary"), gr.Button("Stop", variant="stop", interactive=False)


def results() -> tuple[gr.HTML, gr.HTML]:
    """Where a screen says how things stand, and shows what was found."""
    return gr.HTML(fragments.idle(), elem_classes="status"), gr.HTML("", elem_classes="found")


def wire(desk: Desk, controls: Controls, inputs: Sequence[Any], plan: Plan, show: Show) -> gr.State:
    """Starts a job on a click, shows it until it is over, and stops it on another.

    Args:
        plan: tasks and their settings, from the inputs' values; what is wrong with them it raises.
        show: HTML of what there is.
    Returns:
        The folder of the last task that ended well; changes when one does.
    """
    mine, done = gr.State(""), gr.State("")

    def start(request: gr.Request, *values: Any) -> Iterator[tuple[Any, ...]]:
        try:
            job = desk.plan(str(request.session_hash), plan(*values))
        except VitrailError as error:
            yield "", fragments.sentence(str(error)), gr.skip(), gr.Button(interactive=False), gr.skip()
            return
        for standings in desk.follow(job):
            status = fragments.status(job, standings, desk.jobs.before(job))
            folder = str(job.steps[-1].folder) if job.state == "done" else gr.skip()
            yield job.id, status, show(standings), gr.Button(interactive=not job.over), folder

    def stop(identity: str, request: gr.Request) -> str:
        job = desk.jobs.find(identity)
        if job is None or job.owner != str(request.session_hash):
            return fragments.idle()
        desk.jobs.cancel(job)
        return fragments.status(job, [], 0)

    outputs = [mine, controls.status, controls.shown, controls.stop, done]
    controls.run.click(start, list(inputs), outputs, **QUIET)
    controls.stop.click(stop, [mine], [controls.status], **QUIET)
    return done


def _is_here(name: str) -> bool:
    """Whether the weights are on this machine."""
    return BACKBONES[name].weights_path() is not None
