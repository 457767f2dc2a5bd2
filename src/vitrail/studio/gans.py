"""Tab GANs: a training while it runs, whoever started it; samples, interpolations and edits of its generator."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import gradio as gr

from vitrail.errors import BadSetting, VitrailError
from vitrail.gan_architectures import GANS
from vitrail.reading import plain_files, read_json
from vitrail.report.contents import EmbeddedImage
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
from vitrail.studio.inputs import changed_settings, image_upload, other_settings, provided_image
from vitrail.studio.run_monitor import RunMonitor
from vitrail.studio.uploads import allowed_data
from vitrail.tasks.gan_train import GanTrain

REFRESH_SECONDS = 1.0
MAX_IMAGES = 6
LOSSES = {"discriminator_loss": "discriminator", "generator_loss": "generator"}
SCORES = {"d_real": "D(x)", "d_fake_before_g": "D(G(z)) before the step of G", "d_fake_after_g": "after it"}
SAMPLES = "samples"  # group of the images of samples that `gan train` makes after each epoch
CLASS_INFO = "Class name, or attributes, e.g. Male=1 (empty: random)"


def screen(context: StudioContext) -> gr.Dropdown:
    """Builds the tab; returns the choice of the run."""
    with gr.Row():
        with gr.Column(scale=1, min_width=280):
            data = gr.Textbox("digits", label="Folder of images", info="On this machine; digits: packaged data set")
            architecture = gr.Dropdown(["auto", *GANS], value="auto", label="Architecture")
            epochs = gr.Number(30, label="Epochs", precision=0)
            batch = gr.Number(32, label="Batch size", precision=0)
            rate = gr.Number(5e-4, label="Learning rate")
            names, others = other_settings(GanTrain, ("data", "architecture", "epochs", "batch", "learning_rate"))
            run, stop = run_buttons("Train")
        with gr.Column(scale=2, min_width=320):
            runs = training_runs(context)
            chosen = gr.Dropdown(runs, value=runs[0] if runs else None, label="Training run", allow_custom_value=True)
            status = gr.HTML(html.idle_html(), elem_classes="status")
            epoch = gr.Slider(1, 2, 1, step=1, label="Samples, earlier to later", interactive=False)
            samples, output = gr.HTML("", elem_classes="results"), gr.HTML("", elem_classes="results")
            _generator_tabs(context, chosen)

    def start(*values: Any) -> tuple[Any, ...]:
        folder, kind, count, images, learning_rate, *more = values
        try:
            settings = {
                "data": allowed_data(folder, context.roots),
                "architecture": kind,
                "epochs": count,
                "batch": images,
                "learning_rate": learning_rate,
                **changed_settings(GanTrain, names, more),
            }
            job = context.submit([("gan-train", settings)])
        except VitrailError as error:
            return html.error_html(str(error)), gr.skip(), gr.skip()
        new = str(job.steps[0].folder)
        status_now = html.status_html(job, [], context.jobs.jobs_ahead(job))
        return status_now, gr.Dropdown([new, *training_runs(context)], value=new), ""

    def cancel(folder: str) -> None:
        for job in context.jobs.open():
            if str(job.steps[0].folder) == folder:
                context.jobs.cancel(job)

    last = gr.State("")
    view = RunView(context)
    inputs = [data, architecture, epochs, batch, rate, *others]
    run.click(start, inputs, [status, chosen, last], **EVENT_OPTIONS)
    stop.click(cancel, [chosen], None, **EVENT_OPTIONS)
    outputs = [last, status, output, epoch, samples, stop]
    gr.Timer(REFRESH_SECONDS).tick(view.update, [chosen, last], outputs, **EVENT_OPTIONS)
    chosen.change(lambda: "", None, [last], **EVENT_OPTIONS)
    epoch.input(view.samples, [chosen, epoch], [samples], **EVENT_OPTIONS)
    return chosen


class RunView:
    """The view of one training run, updated while it runs."""

    def __init__(self, context: StudioContext) -> None:
        self._context = context

    def update(self, folder: str, last: str) -> tuple[Any, ...]:
        """The outputs of the tab; nothing if the run has not changed since the state `last`."""
        unchanged = (gr.skip(),) * 6
        if not self._is_run(folder):
            return unchanged
        job = next((job for job in self._context.jobs.open() if str(job.steps[0].folder) == folder), None)
        log = Path(folder) / "events.jsonl"
        state = f"{folder} {log.stat().st_size if log.is_file() else 0} {job.state if job else ''}"
        if state == last:
            return unchanged
        monitor = RunMonitor(Path(folder))
        monitor.refresh()
        count = len(monitor.group(SAMPLES))
        slider = gr.Slider(1, max(2, count), max(1, count), interactive=count > 1)
        status = html.status_html(job, [monitor], self._context.jobs.jobs_ahead(job)) if job else _run_state(monitor)
        return state, status, _charts(monitor), slider, _samples(monitor, count), gr.Button(interactive=bool(job))

    def samples(self, folder: str, number: float) -> str:
        """The samples after one epoch; all epochs use the same latents."""
        if not self._is_run(folder):
            return ""
        monitor = RunMonitor(Path(folder))
        monitor.refresh()
        return _samples(monitor, int(number))

    def _is_run(self, folder: str) -> bool:
        return folder in map(str, self._context.run_folders())


def training_runs(context: StudioContext) -> list[str]:
    """Folders of GAN training runs, finished or not, the latest first."""
    return context.runs_of("gan-train", finished=False)


def _samples(monitor: RunMonitor, number: int) -> str:
    entries = monitor.group(SAMPLES)
    if not entries:
        return ""
    path, image = entries[min(max(1, number), len(entries)) - 1]
    return html.images([EmbeddedImage(image.caption, html.data_url(monitor.folder, path))])


def _run_state(monitor: RunMonitor) -> str:
    if monitor.error:
        return html.error_html(f"This run was stopped: {monitor.error}.")
    if monitor.finished:
        return html.verdict(True, "This run is finished.")
    return html.verdict(True, monitor.progress.detail if monitor.progress else "No progress has been reported yet.")


def _charts(monitor: RunMonitor) -> str:
    charts = []
    for title, keys in (("Losses", LOSSES), ("Output of the discriminator", SCORES)):
        series = {name: [each[key] for each in monitor.curve if key in each] for key, name in keys.items()}
        charts.append(html.line_chart(title, series))
    finished = bool(monitor.result())
    end = html.finished_html(monitor.folder, without_group=SAMPLES) if finished else html.note_list(monitor)
    return "".join(charts) + end


def _generator_tabs(context: StudioContext, chosen: gr.Dropdown) -> None:
    """Forms for the generator of the chosen run."""
    with gr.Tabs():
        with gr.Tab("Sample"):
            label = gr.Textbox("", label="Class", info=CLASS_INFO)
            count, seed = gr.Number(16, label="Images", precision=0), gr.Number(0, label="Seed", precision=0)
            _form(context, "Sample", [chosen, label, count, seed], partial(_plan_samples, context))
        with gr.Tab("Interpolate"):
            start = gr.Textbox("", label="From class", info="Empty: all classes")
            end = gr.Textbox("", label="To class")
            seeds = gr.Textbox("0,1,2", label="Seeds")
            _form(context, "Interpolate", [chosen, start, end, seeds], partial(_plan_interpolation, context))
        with gr.Tab("Edit"):
            gr.render([chosen])(partial(_edit_form, context, chosen))


def _form(context: StudioContext, label: str, inputs: Sequence[Any], plan: Any) -> None:
    run, stop = run_buttons(label)
    status, output = output_panels()
    connect(context, Controls(run, stop, status, output), inputs, plan, _gallery)


def _plan_samples(context: StudioContext, folder: str, label: str, count: float, seed: float) -> list[TaskSettings]:
    generator = _generator(context, folder)
    settings = {"generator": generator, "label": _labels(label), "count": int(count or 1), "seed": int(seed or 0)}
    return [("gan-sample", settings)]


def _plan_interpolation(context: StudioContext, folder: str, start: str, end: str, seeds: str) -> list[TaskSettings]:
    settings = {"label": _labels(start), "to_label": _labels(end), "seeds": seeds}
    given = {name: value for name, value in settings.items() if value}
    return [("gan-interpolate", {"generator": _generator(context, folder), **given})]


def _edit_form(context: StudioContext, chosen: gr.Dropdown, folder: str | None) -> None:
    """A slider for each attribute that the generator is conditioned on."""
    names = _attributes(Path(folder)) if folder and folder in map(str, context.run_folders()) else []
    if not names:
        gr.HTML("<p>This generator has no attributes. Choose a run that was trained on a folder with attributes.</p>")
        return
    image = image_upload("Image")
    info = "0: unchanged; negative: absent; positive: present"
    sliders = [gr.Slider(-2, 2, 0, step=0.5, label=name, info=info) for name in names]

    def plan(run: str, path: str | None, *values: float) -> list[TaskSettings]:
        edits = [f"{name}={int(value > 0)}" for name, value in zip(names, values, strict=True) if value]
        if not edits:
            raise BadSetting("All attributes are unchanged. Move at least one slider.")
        image_file = provided_image(path, context)
        settings = {"generator": _generator(context, run), "images": [image_file], "attributes": edits}
        return [("gan-edit", {**settings, "strength": max(map(abs, values))})]

    _form(context, "Edit", [chosen, image, *sliders], plan)


def _generator(context: StudioContext, folder: str) -> str:
    if not folder:
        raise BadSetting("No training run is chosen. Train a GAN first.")
    return context.find_run(folder)


def _attributes(folder: Path) -> list[str]:
    """The attributes that a run's generator is conditioned on; none if it has classes, or no condition."""
    try:
        description = read_json(folder / "weights" / "generator.json", within=folder)
        return list(map(str, description["names"])) if description["attributes"] else []
    except (OSError, ValueError, KeyError, TypeError):
        return []


def _labels(text: str) -> list[str]:
    """A class, which may contain spaces, or attributes separated by commas or spaces."""
    words = text.replace(",", " ").split()
    return words if all("=" in word for word in words) else [part.strip() for part in text.split(",") if part.strip()]


def _gallery(monitors: Sequence[RunMonitor]) -> str:
    """Animations, images and notes of a run."""
    (monitor,) = monitors
    films = plain_files(monitor.folder / "images", "gif")
    animations = [EmbeddedImage("Animation", html.data_url(monitor.folder, f"images/{film.name}")) for film in films]
    stills = [
        EmbeddedImage(image.caption, html.data_url(monitor.folder, path)) for path, image in monitor.images.items()
    ]
    shown = [image for image in (*animations, *stills[-MAX_IMAGES:]) if image.source]
    return html.images(shown) + html.note_list(monitor)
