"""Look: what is in an image, and which pixels say so."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import gradio as gr

from vitrail.attributions import ATTRIBUTIONS
from vitrail.studio import fragments
from vitrail.studio.desk import Controls, Desk, buttons, results, wire
from vitrail.studio.inputs import chosen, given, image, mistaken, network, rest, weights
from vitrail.studio.standing import Standing
from vitrail.tasks.explain import Explain

OPACITY = "(share) => { document.documentElement.style.setProperty('--opacity', share); return []; }"


def screen(desk: Desk) -> gr.Dropdown:
    """Builds it; gives the choice of the network."""
    with gr.Row():
        with gr.Column(scale=1, min_width=280):
            dropped = image()
            name, file = network(desk)
            mistaken(name, dropped, desk)
            methods = [each for each in ATTRIBUTIONS if not each.endswith(":")]
            wanted = gr.CheckboxGroup(methods, value=["gradient", "grad-cam"], label="Maps")
            target = gr.Textbox("top", label="Class to explain", info="By name or number; top: the likeliest")
            names, others = rest(Explain, ("images", "method", "target", "backbone", "faithfulness"))
            run, stop = buttons("Look")
        with gr.Column(scale=2, min_width=320):
            status, shown = results()
            opacity = gr.Slider(0, 1, 0.6, label="Opacity of the maps", elem_id="opacity")
            opacity.input(None, [opacity], [], js=OPACITY)

    def plan(path: str | None, backbone: str, own: str | None, *values: Any) -> list[tuple[str, dict[str, Any]]]:
        maps, target_name, *more = values
        said = {"backbone": [desk.network(backbone)], "method": maps, "target": target_name or "top", **weights(own)}
        return [
            classified(given(path), backbone, own),
            ("explain", {"images": [given(path)], **said, **chosen(Explain, names, more)}),
        ]

    wire(desk, Controls(run, stop, status, shown), [dropped, name, file, wanted, target, *others], plan, found)
    return name


def classified(path: str, backbone: str, own: str | None) -> tuple[str, dict[str, Any]]:
    """The task that names what is in an image: by a network's name, or by a classifier's run folder."""
    if "/" in backbone or "\\" in backbone:
        return "predict", {"classifier": backbone, "images": [path], "top_k": 5}
    return "classify", {"images": [path], "backbone": backbone, "top_k": 5, **weights(own)}


def found(standings: Sequence[Standing]) -> str:
    """The five likeliest classes, and the maps."""
    named, explained = (standing.result().get("images") or [] for standing in standings)
    parts = [fragments.bars("What is in it", entry["top"]) for entry in named]
    for entry in explained:
        target = entry["target"]
        title = f"What speaks for {target['name']}"
        parts.append(fragments.stacks(title, standings[1], entry["maps"]))
    return "".join(parts)
