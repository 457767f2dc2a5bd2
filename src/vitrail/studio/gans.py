"""GANs: a training as it goes, whoever started it; what it made, sampled, walked through and edited."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import gradio as gr

from vitrail.errors import BadSetting, VitrailError
from vitrail.files import read_json
from vitrail.gan_architectures import GANS
from vitrail.report.reading import Figure
from vitrail.studio import fragments
from vitrail.studio.desk import QUIET, Controls, Desk, buttons, results, wire
from vitrail.studio.inputs import chosen, dropping, given, rest
from vitrail.studio.standing import Standing
from vitrail.studio.uploads import allowed_data
from vitrail.tasks.gan_train import GanTrain
from vitrail.tasks.gan_walk import GanWalk

SECONDS = 1.0
LOSSES = {"discriminator_loss": "D's loss", "generator_loss": "G's loss"}
SCORES = {"d_real": "D(x)", "d_fake_before_g": "D(G(z)) before", "d_fake_after_g": "after"}


def screen(desk: Desk) -> gr.Dropdown:
    """Builds it; gives the choice of the run that is watched."""
    with gr.Row():
        with gr.Column(scale=1, min_width=280):
            data = gr.Textbox("digits", label="Folder of images", info="On this machine; digits is packaged")
            kind = gr.Dropdown(["auto", *GANS], value="auto", label="Architecture")
            epochs = gr.Number(30, label="Epochs", precision=0)
            batch = gr.Number(32, label="Batch", precision=0)
            rate = gr.Number(5e-4, label="Learning rate")
            names, others = rest(GanTrain, ("data", "architecture", "epochs", "batch", "learning_rate"))
            run, stop = buttons("Train")
        with gr.Column(scale=2, min_width=320):
            runs = watchable(desk)
            watched = gr.Dropdown(runs, value=runs[0] if runs else None, label="Run to watch", allow_custom_value=True)
            status = gr.HTML(fragments.idle(), elem_classes="status")
            epoch = gr.Slider(1, 2, 1, step=1, label="Epoch", interactive=False)
            samples, shown = gr.HTML("", elem_classes="found"), gr.HTML("", elem_classes="found")
            _afterwards(desk, watched)

    def start(request: gr.Request, *values: Any) -> tuple[Any, ...]:
        where, architecture, count, images, speed, *more = values
        try:
            said = {
                "data": allowed_data(where, desk.roots),
                "architecture": architecture,
                "epochs": count,
                "batch": images,
                "learning_rate": speed,
            }
            job = desk.plan(str(request.session_hash), [("gan-train", {**said, **chosen(GanTrain, names, more)})])
        except VitrailError as error:
            return fragments.sentence(str(error)), gr.skip(), gr.skip()
        folder = str(job.steps[0].folder)
        return (
            fragments.status(job, [], desk.jobs.before(job)),
            gr.Dropdown([folder, *watchable(desk)], value=folder),
            "",
        )

    def cancel(folder: str, request: gr.Request) -> None:
        for job in desk.jobs.open():
            if str(job.steps[0].folder) == folder and job.owner == str(request.session_hash):
                desk.jobs.cancel(job)

    seen = gr.State("")
    watch = Watch(desk)
    run.click(start, [data, kind, epochs, batch, rate, *others], [status, watched, seen], **QUIET)
    stop.click(cancel, [watched], None, **QUIET)
    outputs = [seen, status, shown, epoch, samples, stop]
    gr.Timer(SECONDS).tick(watch.look, [watched, seen], outputs, **QUIET)
    watched.change(lambda: "", None, [seen], **QUIET)
    epoch.input(watch.samples, [watched, epoch], [samples], **QUIET)
    return watched


class Watch:
    """Looks at a run folder, and says what is new there."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def look(self, folder: str, seen: str) -> tuple[Any, ...]:
        """The outputs of the screen; nothing where nothing has changed since `seen`."""
        nothing = (gr.skip(),) * 6
        if not folder or not self._is_ours(folder):
            return nothing
        job = next((job for job in self._desk.jobs.open() if str(job.steps[0].folder) == folder), None)
        log = Path(folder) / "events.jsonl"
        stamp = f"{folder} {log.stat().st_size if log.exists() else 0} {job.state if job else ''}"
        if stamp == seen:
            return nothing
        standing = Standing(Path(folder))
        standing.read_on()
        sheets = _sheets(standing)
        last = len(sheets)
        slider = gr.Slider(1, max(2, last), max(1, last), interactive=last > 1)
        status = fragments.status(job, [standing], self._desk.jobs.before(job)) if job else _standing(standing)
        return stamp, status, _curves(standing), slider, self.samples(folder, last), gr.Button(interactive=bool(job))

    def samples(self, folder: str, epoch: float) -> str:
        """The sheet of one epoch: the same noise each time."""
        if not folder or not self._is_ours(folder):
            return ""
        standing = Standing(Path(folder))
        standing.read_on()
        sheets = _sheets(standing)
        if not sheets:
            return ""
        name = sheets[min(max(1, int(epoch)), len(sheets)) - 1]
        return fragments.images([Figure(standing.images[name], fragments.data_of(standing.folder / name))])

    def _is_ours(self, folder: str) -> bool:
        return Path(folder).resolve().is_relative_to(self._desk.runs.resolve())


def watchable(desk: Desk) -> list[str]:
    """Trainings, finished or not, the latest first."""
    return desk.runs_of("gan-train", finished=False)


def _sheets(standing: Standing) -> list[str]:
    return sorted(name for name in standing.images if Path(name).name.startswith("samples_"))


def _standing(standing: Standing) -> str:
    if standing.stopped:
        return fragments.sentence(f"This run was stopped: {standing.stopped}.")
    if standing.over:
        return fragments.verdict(True, "This run is finished.")
    return fragments.verdict(True, f"{standing.progress.detail if standing.progress else 'Nothing has happened yet.'}")


def _curves(standing: Standing) -> str:
    drawn = []
    for title, keys in (("Losses", LOSSES), ("What D says", SCORES)):
        series = {said: [each[key] for each in standing.curve if key in each] for key, said in keys.items()}
        drawn.append(fragments.curves(title, series))
    end = (
        fragments.whole(standing.folder, but="Samples after epoch") if standing.result() else fragments.notes(standing)
    )
    return "".join(drawn) + end


def _afterwards(desk: Desk, watched: gr.Dropdown) -> None:
    """Samples, walks and edits of the run that is watched."""
    with gr.Tabs():
        with gr.Tab("Samples"):
            wanted = gr.Textbox("", label="Class", info="By name, or attributes as Male=1; empty: as they come")
            count, seed = gr.Number(16, label="How many", precision=0), gr.Number(0, label="Seed", precision=0)
            _task(desk, "Sample", [watched, wanted, count, seed], partial(_sampled, desk))
        with gr.Tab("Walk"):
            start = gr.Textbox("", label="From class", info="Empty: every class walks")
            end = gr.Textbox("", label="To class")
            seeds = gr.Textbox("0,1,2", label="Seeds")
            _task(desk, "Walk", [watched, start, end, seeds], partial(_walked, desk))
        with gr.Tab("Edit"):
            gr.render([watched])(partial(_sliders, desk, watched))


def _task(desk: Desk, verb: str, inputs: Sequence[Any], plan: Any) -> None:
    run, stop = buttons(verb)
    status, shown = results()
    wire(desk, Controls(run, stop, status, shown), inputs, plan, _gallery)


def _sampled(desk: Desk, folder: str, wanted: str, count: float, seed: float) -> list[tuple[str, dict[str, Any]]]:
    said = {"generator": _run(desk, folder), "wanted": _words(wanted), "count": int(count or 1), "seed": int(seed or 0)}
    return [("gan-sample", said)]


def _walked(desk: Desk, folder: str, start: str, end: str, seeds: str) -> list[tuple[str, dict[str, Any]]]:
    said = {"generator": _run(desk, folder), "wanted": _words(start), "to_wanted": _words(end), "seeds": seeds}
    return [("gan-walk", {name: value for name, value in said.items() if value or name not in GanWalk.model_fields})]


def _sliders(desk: Desk, watched: gr.Dropdown, folder: str | None) -> None:
    """A slider for each attribute that the run was told."""
    names = _attributes(folder or "")
    if not names:
        gr.HTML("<p>The run that is watched was told no attributes; one of a folder with a table of them was.</p>")
        return
    dropped = dropping("Image")
    sliders = [gr.Slider(-2, 2, 0, step=0.5, label=name, info="0: as it is; left: not so; right: so") for name in names]

    def edited(run: str, path: str | None, *values: float) -> list[tuple[str, dict[str, Any]]]:
        wanted = [f"{name}={int(value > 0)}" for name, value in zip(names, values, strict=True) if value]
        if not wanted:
            raise BadSetting("Nothing is to be changed; move a slider from 0.")
        said = {"generator": _run(desk, run), "images": [given(path)], "wanted": wanted}
        return [("gan-edit", {**said, "strength": max(map(abs, values))})]

    _task(desk, "Edit", [watched, dropped, *sliders], edited)


def _run(desk: Desk, folder: str) -> str:
    if not folder:
        raise BadSetting("There is no run of a GAN yet; train one first.")
    return str(desk.run(folder))


def _attributes(folder: str) -> list[str]:
    """Those that a run's generator is told; none where it is told classes, or nothing."""
    try:
        about = read_json(Path(folder) / "weights" / "generator.json")
        return list(map(str, about["names"])) if about["attributes"] else []
    except (OSError, ValueError, KeyError, TypeError):
        return []


def _words(text: str) -> list[str]:
    return [word.strip() for word in text.replace(",", " ").split()]


def _gallery(standings: Sequence[Standing]) -> str:
    """Everything that a task drew, its films first."""
    (standing,) = standings
    folder = standing.folder / "images"
    films = [Figure("The walk", fragments.data_of(path)) for path in sorted(folder.glob("*.gif"))]
    drawn = [Figure(caption, fragments.data_of(standing.folder / name)) for name, caption in standing.images.items()]
    return fragments.images([figure for figure in (*films, *drawn[-6:]) if figure.source]) + fragments.notes(standing)
