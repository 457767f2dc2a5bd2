"""Visualise: what a network believes a class looks like, growing step by step."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import gradio as gr

from vitrail.errors import BadSetting
from vitrail.formatting import percent
from vitrail.report.reading import Figure
from vitrail.studio import fragments
from vitrail.studio.desk import SECONDS, Controls, Desk, buttons, results, wire
from vitrail.studio.inputs import chosen, given, image, network, rest, weights
from vitrail.studio.names import classes_of
from vitrail.studio.standing import Standing
from vitrail.tasks.visualise import Visualise


def screen(desk: Desk) -> gr.Dropdown:
    """Builds it; gives the choice of the network."""
    with gr.Row():
        with gr.Column(scale=1, min_width=280):
            name, file = network(desk)
            start = classes_of(str(name.value or ""))
            wanted = gr.Dropdown([*start], value=["tarantula"], label="Classes", multiselect=True, max_choices=12)
            name.change(
                lambda other: _classes(other), [name], [wanted], concurrency_limit=None, api_visibility="private"
            )
            method = gr.Dropdown(["fourier", "maco", "pixels"], value="fourier", label="Method")
            steps = gr.Slider(10, 1000, 200, step=10, label="Steps")
            with gr.Accordion("Start from an image", open=False):
                dropped = image("Image to start from; else noise")
            names, others = rest(
                Visualise, ("classes", "method", "backbone", "start", "steps", "device", "sweep", "judge")
            )
            run, stop = buttons("Visualise")
        with gr.Column(scale=2, min_width=320):
            status, shown = results()

    def plan(backbone: str, own: str | None, classes: Sequence[str], *values: Any) -> list[tuple[str, dict[str, Any]]]:
        how, count, path, *more = values
        if not classes:
            raise BadSetting("No class is chosen; type a part of a name to find one.")
        said = {
            "classes": list(classes),
            "backbone": desk.network(backbone),
            "method": how,
            "steps": int(count),
            "preview_every": SECONDS,
        }
        said |= {"start": given(path) if path else "noise", **weights(own), **chosen(Visualise, names, more)}
        return [("visualise", said)]

    wire(desk, Controls(run, stop, status, shown), [name, file, wanted, method, steps, dropped, *others], plan, found)
    return name


def _classes(network_name: str) -> gr.Dropdown:
    found = classes_of(network_name)
    first = "tarantula" if "tarantula" in found else found[0] if found else None
    return gr.Dropdown([*found], value=[first] if first else [])


def found(standings: Sequence[Standing]) -> str:
    """The images while they grow; then what both networks say of them."""
    (standing,) = standings
    entries = standing.result().get("classes") or []
    series = {
        name.partition("_")[2]: [each.get("probability", 0.0) for each in looks]
        for name, looks in standing.previews.items()
    }
    curve = fragments.curves("Probability of the class, as the network sees it", series, lowest=0.0)
    if not entries:
        return fragments.previews(standing, {name: name.partition("_")[2] for name in standing.previews}) + curve
    return fragments.images(list(_made(standing, entries))) + curve


def _made(standing: Standing, entries: Sequence[dict[str, Any]]) -> list[Figure]:
    shown = []
    for entry in entries:
        said = f"{entry['name']}: {percent(entry['probability'])} by its own network"
        if entry.get("judge_probability") is not None:
            said += f", {percent(entry['judge_probability'])} by another"
        file = standing.folder / str(entry["output"])
        film = file.with_suffix(".gif")
        for caption, path in ((said, file), ("how it grew", film), ("step by step", _strip(file))):
            if source := fragments.data_of(path):
                shown.append(Figure(caption, source))
    return shown


def _strip(file: Path) -> Path:
    return file.with_name(f"{file.stem}_strip.png")
