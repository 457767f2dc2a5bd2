"""Parts of forms that several screens have, and the rest of a task's settings from the task itself."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin

import gradio as gr
from pydantic.fields import FieldInfo

from vitrail.datasets.sample_images import sample_images
from vitrail.errors import BadSetting, MissingExtra
from vitrail.settings import option_name
from vitrail.studio.desk import QUIET, Desk
from vitrail.studio.uploads import checked_image, checked_weights
from vitrail.task import Task

NOT_HERE = {
    *("cache", "use_cache", "weights", "labels", "spectrum", "tensorboard", "resume"),
    *("live", "preview_every", "measure", "judge", "download", "device"),
}
"""Settings that name files of the server, and those that the page itself needs."""


def dropping(label: str) -> gr.Image:
    """Where an image is dropped or picked; its bytes reach us as they are, unopened: the check comes first."""
    dropped = gr.Image(type="filepath", label=label, sources=["upload", "clipboard"], height=240, buttons=[])
    # gradio's own way opens the image, whatever its size; a subclass would need a page part of its own.
    setattr(dropped, "preprocess", lambda payload: None if payload is None else str(payload.path))  # noqa: B010
    return dropped


def image(label: str = "Image") -> gr.Image:
    """Where an image is dropped, with the free ones to pick from."""
    dropped = dropping(label)
    try:
        free = {path.stem: str(path) for path in sample_images()}
    except MissingExtra:  # there is nothing to pick from
        return dropped
    one = gr.Radio([*free], label="or a free one")
    one.select(lambda name: free.get(name), [one], [dropped], **QUIET)
    return dropped


def network(desk: Desk) -> tuple[gr.Dropdown, gr.File]:
    """Which network: packaged, downloaded before, or a classifier made here; and weights of one's own."""
    names = desk.networks()
    chosen = gr.Dropdown(names, value=names[0] if names else None, label="Network", allow_custom_value=True)
    with gr.Accordion("Weights of my own", open=False):
        file = gr.File(label="safetensors file for that network", file_types=[".safetensors"], type="filepath")
    return chosen, file


def mistaken(name: gr.Dropdown, dropped: gr.Image, desk: Desk) -> None:
    """What a classifier that was made here got wrong, to pick from; out of sight for other networks."""
    one = gr.Dropdown([], label="or a mistake of this classifier", visible=False)

    def others(chosen: str, request: gr.Request) -> gr.Dropdown:
        seen = desk.runs_of("transfer", str(request.session_hash))
        found = mistakes_of(chosen) if chosen in seen else []
        return gr.Dropdown(found, value=None, visible=bool(found))

    def pick(path: str | None, chosen: str) -> Any:
        return path if path in [file for _, file in mistakes_of(chosen)] else gr.skip()

    name.change(others, [name], [one], **QUIET)
    one.input(pick, [one, name], [dropped], **QUIET)


def mistakes_of(run: str) -> list[tuple[str, str]]:
    """What is said of each, and its file, those that are still there."""
    try:
        with (Path(run) / "tables" / "mistakes.csv").open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        said = [f"{row['true']} → {row['predicted']}, {float(row['probability']):.0%}" for row in rows]
        found = zip(said, (row["file"] for row in rows), strict=True)
        return [(f"{words}: {Path(file).name}", file) for words, file in found if Path(file).is_file()]
    except (OSError, ValueError, KeyError, TypeError):
        return []


def given(dropped: str | None) -> str:
    """The image, checked.

    Raises:
        BadSetting: there is none.
        BadImage: it is too large, or no image.
    """
    if not dropped:
        raise BadSetting("There is no image yet; drop one, or pick one below the field.")
    return str(checked_image(Path(dropped)))


def weights(file: str | None) -> dict[str, str]:
    """The setting, if there is a file."""
    return {"weights": str(checked_weights(Path(file)))} if file else {}


def rest(task: type[Task], taken: Sequence[str]) -> tuple[list[str], list[Any]]:
    """All other settings of a task, folded away: their names, and a component for each."""
    names, components = [], []
    with gr.Accordion("More settings", open=False):
        for name, info in task.model_fields.items():
            if name in taken or name in NOT_HERE or info.is_required():
                continue
            names.append(name)
            components.append(_component(name, info))
    return names, components


def chosen(task: type[Task], names: Sequence[str], values: Sequence[Any]) -> dict[str, Any]:
    """The settings among `rest` that are no longer what they were."""
    found = {}
    for name, value in zip(names, values, strict=True):
        default = task.model_fields[name].get_default()
        if value in (None, "") or value == _shown(default):
            continue
        found[name] = int(value) if isinstance(value, float) and value.is_integer() else value
    return found


def _component(name: str, info: FieldInfo) -> Any:
    kinds = [each for each in _parts(info.annotation) if each is not type(None)]
    label, about, default = option_name(name)[2:], info.description, _shown(info.get_default())
    if get_origin(kinds[0]) is Literal:
        choices = [str(each) for each in get_args(kinds[0])]
        return gr.Dropdown(choices, value=default, label=label, info=about)
    if kinds == [bool] and default is None:
        return gr.Dropdown([("automatic", ""), "yes", "no"], value="", label=label, info=about)
    if kinds == [bool]:
        return gr.Checkbox(value=bool(default), label=label, info=about)
    if kinds[0] in (int, float) and default is not None:
        return gr.Number(value=default, label=label, info=about, precision=0 if kinds == [int] else None)
    return gr.Textbox(value=default, label=label, info=about, placeholder="automatic")


def _parts(annotation: Any) -> tuple[Any, ...]:
    return get_args(annotation) if get_origin(annotation) in (Union, UnionType) else (annotation,)


def _shown(default: Any) -> Any:
    if isinstance(default, tuple):
        return ",".join(map(str, default))
    return str(default) if isinstance(default, Path) else default
