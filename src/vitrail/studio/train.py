"""Train: a classifier from a folder of images."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from secrets import token_hex
from typing import Any

import gradio as gr

from vitrail.errors import BadSetting
from vitrail.formatting import percent
from vitrail.studio import fragments
from vitrail.studio.desk import Controls, Desk, buttons, results, wire
from vitrail.studio.inputs import chosen, rest
from vitrail.studio.standing import Standing
from vitrail.studio.uploads import ZIP_BYTES, allowed_data, unpacked
from vitrail.tasks.transfer import Transfer


def screen(desk: Desk) -> tuple[gr.State, gr.Button]:
    """Builds it; gives the run folder of the last classifier, and the button that takes it to the other screens."""
    with gr.Row():
        with gr.Column(scale=1, min_width=280):
            folder = gr.Textbox(
                "digits", label="Folder of class folders", info="On this machine; digits is packaged", lines=1
            )
            archive = gr.File(
                label=f"or a zip of class folders, {ZIP_BYTES // 1_000_000} MB unpacked at most",
                file_types=[".zip"],
                type="filepath",
            )
            backbone = gr.Dropdown(desk.networks(), value=["squeezenet"], label="Network", multiselect=True)
            names, others = rest(Transfer, ("folder", "backbone"))
            run, stop = buttons("Train")
            taken = gr.Button("Look and fool with it", interactive=False)
        with gr.Column(scale=2, min_width=320):
            status, shown = results()

    def plan(where: str, zipped: str | None, networks: Sequence[str], *more: Any) -> list[tuple[str, dict[str, Any]]]:
        if not networks:
            raise BadSetting("No network is chosen; squeezenet is the quickest.")
        said = chosen(Transfer, names, more)
        return [
            (
                "transfer",
                {"folder": _data(desk, where, zipped), "backbone": [desk.network(name) for name in networks], **said},
            )
        ]

    done = wire(desk, Controls(run, stop, status, shown), [folder, archive, backbone, *others], plan, found)
    done.change(lambda made: gr.Button(interactive=bool(made)), [done], [taken], api_visibility="private")
    return done, taken


def _data(desk: Desk, where: str, zipped: str | None) -> str:
    if zipped:
        return str(unpacked(Path(zipped), desk.uploads / token_hex(16)))
    return allowed_data(where, desk.roots)


def found(standings: Sequence[Standing]) -> str:
    """How good it is, and everything that was drawn of it."""
    (standing,) = standings
    test = standing.result().get("test")
    if not isinstance(test, dict):
        return fragments.notes(standing)
    low, high = test["interval"]
    good = f"{percent(test['accuracy'])} of {test['n']} test images right (95 %: {percent(low)} to {percent(high)})."
    return fragments.verdict(True, good) + fragments.whole(standing.folder)
