"""Inputs that several tabs share, and inputs for the other settings of a task, built from the task itself."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin

import gradio as gr
from pydantic.fields import FieldInfo

from vitrail.datasets.sample_images import sample_images
from vitrail.errors import BadSetting, MissingExtra, VitrailError
from vitrail.formatting import percent
from vitrail.image_formats import SUFFIXES
from vitrail.runs import read_run
from vitrail.settings import option_name
from vitrail.studio.context import EVENT_OPTIONS, StudioContext
from vitrail.studio.uploads import checked_image, checked_weights, encoded_again
from vitrail.task import Task

OMITTED = {
    *("cache", "use_cache", "weights", "labels", "leave_out", "spectrum", "tensorboard", "resume"),
    *("live", "preview_every", "feature_extractor", "judge", "download", "device"),
    *("shards", "shard", "engine", "workers", "memory"),
}
"""Settings that name files of the server, that the page sets itself, or that concern runs on several machines."""


def image_upload(label: str) -> gr.Image:
    """An input for an uploaded image; gives the path of the unopened file, since the check comes first."""
    upload = gr.Image(type="filepath", label=label, sources=["upload", "clipboard"], height=240, buttons=[])
    # gradio's own preprocessing opens the image, whatever its size; a subclass would need a frontend of its own.
    setattr(upload, "preprocess", lambda payload: None if payload is None else str(payload.path))  # noqa: B010
    return upload


def image_input(label: str = "Image") -> gr.Image:
    """An input for an uploaded image, or for one of the packaged sample images."""
    upload = image_upload(label)
    try:
        samples = {path.stem: str(path) for path in sample_images()}
    except MissingExtra:
        return upload
    sample = gr.Radio([*samples], label="Sample images")
    sample.select(lambda name: samples.get(name), [sample], [upload], **EVENT_OPTIONS)
    return upload


def network_input(context: StudioContext) -> tuple[gr.Dropdown, gr.File]:
    """A choice of the network (packaged, downloaded before, or a classifier trained here), and a weights file."""
    names = context.networks()
    network = gr.Dropdown(names, value=names[0] if names else None, label="Network", allow_custom_value=True)
    with gr.Accordion("Custom weights", open=False):
        file = gr.File(label="safetensors file for this network", file_types=[".safetensors"], type="filepath")
    return network, file


def misclassified_dropdown(network: gr.Dropdown, image: gr.Image, context: StudioContext) -> None:
    """A choice of the test images that a classifier got wrong; hidden for other networks."""
    choice = gr.Dropdown([], label="Misclassified test images", visible=False)

    def update(name: str) -> gr.Dropdown:
        files = misclassified_images(name, context)
        return gr.Dropdown(files, value=None, visible=bool(files))

    def pick(path: str | None, name: str) -> Any:
        if path not in [file for _, file in misclassified_images(name, context)]:
            return gr.skip()
        try:
            return str(encoded_again(Path(path), context.uploads))
        except VitrailError:
            return gr.skip()

    network.change(update, [network], [choice], **EVENT_OPTIONS)
    choice.input(pick, [choice, network], [image], **EVENT_OPTIONS)


def misclassified_images(name: str, context: StudioContext) -> list[tuple[str, str]]:
    """A label and the path of each misclassified test image of a classifier that still exists.

    A run folder may come from another person: an image counts only if it lies in the folder that the run was trained
    on, and the page may read it.
    """
    if name not in context.runs_of("transfer"):
        return []
    try:
        run = read_run(name)
        home, rows = Path(run.settings["folder"]).resolve(), run.tables["mistakes"]
        labels = [f"{row['true']} → {row['predicted']}, {percent(float(row['probability']))}" for row in rows]
        pairs = zip(labels, (row["file"] for row in rows), strict=True)
        return [(f"{label}: {Path(file).name}", file) for label, file in pairs if _is_below(file, home, context)]
    except (VitrailError, OSError, ValueError, KeyError, TypeError, RuntimeError, csv.Error):
        return []


def _is_below(file: str, home: Path, context: StudioContext) -> bool:
    place = Path(file).resolve()
    is_image = place.suffix.lower() in SUFFIXES and place.is_file()
    return is_image and place.is_relative_to(home) and context.may_read(file)


def provided_image(path: str | None, context: StudioContext) -> str:
    """The uploaded image, checked.

    Raises:
        BadSetting: there is none.
        BadImage: it is too large, or not an image.
    """
    if not path:
        raise BadSetting("No image was given. Upload one, or choose a sample image.")
    return str(checked_image(Path(path), context.uploads))


def weights_file(path: str | None, context: StudioContext) -> dict[str, str]:
    """The setting `weights`, if a file was uploaded."""
    return {"weights": str(checked_weights(Path(path), context.uploads))} if path else {}


def other_settings(task: type[Task], in_form: Sequence[str]) -> tuple[list[str], list[Any]]:
    """The optional settings of a task that are not `in_form`, in a closed accordion: their names, and their inputs."""
    names, components = [], []
    with gr.Accordion("More settings", open=False):
        for name, info in task.model_fields.items():
            if name in in_form or name in OMITTED or info.is_required():
                continue
            names.append(name)
            components.append(_component(name, info))
    return names, components


def changed_settings(task: type[Task], names: Sequence[str], values: Sequence[Any]) -> dict[str, Any]:
    """The settings of `other_settings` whose values differ from the defaults."""
    changed = {}
    for name, value in zip(names, values, strict=True):
        default = task.model_fields[name].get_default()
        if value in (None, "") or value == _input_value(default):
            continue
        changed[name] = int(value) if isinstance(value, float) and value.is_integer() else value
    return changed


def _component(name: str, info: FieldInfo) -> Any:
    kinds = [each for each in _parts(info.annotation) if each is not type(None)]
    label, about, default = option_name(name)[2:], info.description, _input_value(info.get_default())
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


def _input_value(default: Any) -> Any:
    if isinstance(default, tuple):
        return ",".join(map(str, default))
    return str(default) if isinstance(default, Path) else default
