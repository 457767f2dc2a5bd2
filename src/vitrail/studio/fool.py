"""Fool: nearly the same image, taken for something else."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import gradio as gr

from vitrail.attacks import ATTACKS
from vitrail.formatting import percent
from vitrail.report.reading import Figure
from vitrail.studio import fragments
from vitrail.studio.desk import SECONDS, Controls, Desk, buttons, results, wire
from vitrail.studio.inputs import chosen, given, image, network, rest, weights
from vitrail.studio.names import completing
from vitrail.studio.standing import Standing
from vitrail.tasks.fool import Fool


def screen(desk: Desk) -> gr.Dropdown:
    """Builds it; gives the choice of the network."""
    with gr.Row():
        with gr.Column(scale=1, min_width=280):
            dropped = image()
            name, file = network(desk)
            target = completing(name, "To be taken for", first="any")
            method = gr.Dropdown([*ATTACKS], value="minimal-l2", label="Attack")
            radius = gr.Textbox("", label="Radius", info="How far a value may move, 0 to 1; some attacks need one")
            names, others = rest(Fool, ("images", "target", "method", "backbone", "radius"))
            run, stop = buttons("Fool")
        with gr.Column(scale=2, min_width=320):
            status, shown = results()

    def plan(path: str | None, backbone: str, own: str | None, *values: Any) -> list[tuple[str, dict[str, Any]]]:
        wanted, attack, length, *more = values
        said = {"backbone": desk.network(backbone), "target": [wanted or "any"], "method": attack, **weights(own)}
        said |= {"live": SECONDS, **({"radius": length} if length else {}), **chosen(Fool, names, more)}
        return [("fool", {"images": [given(path)], **said})]

    inputs = [dropped, name, file, target, method, radius, *others]
    wire(desk, Controls(run, stop, status, shown), inputs, plan, found)
    return name


def found(standings: Sequence[Standing]) -> str:
    """The image and what was changed of it while the attack runs; then the verdict on the saved file."""
    (standing,) = standings
    path = standing.previews.get("fooled", [])
    kind = "probability_of_old_class" if path and "probability_of_old_class" in path[0] else "probability"
    curve = fragments.curves("Probability", {kind.replace("_", " "): [each[kind] for each in path]}, lowest=0.0)
    entries = standing.result().get("images") or []
    if not entries:
        names = {"fooled": "The image now", "difference": "What was changed, enlarged"}
        return fragments.previews(standing, names) + curve
    return "".join(_verdict(standing, entry) for entry in entries) + curve


def _verdict(standing: Standing, entry: dict[str, Any]) -> str:
    source, result = entry["source"], entry["result"]
    said = f"{result['name']} ({percent(result['probability'])})"
    was = f"{source['name']} ({percent(source['probability'])})"
    far = (
        f"L2 {entry['l2']:.3f}, at most {entry['linf'] * 255:.0f} of 255 in a value, {entry['forwards']} forward passes"
    )
    if entry["verified"]:
        text = f"The saved PNG, read again, is taken for {said}; it was {was}. {far}."
    else:
        text = f"Not fooled: the saved image is still taken for {said}. More steps, or another attack, may do it."
    file = str(entry.get("output", ""))
    sheet = standing.folder / "plots" / "fooled.png"
    figures = [Figure("Original, fooled, and the difference", fragments.data_of(sheet))]
    caption = "The fooled image, as a file"
    if file:
        figures.append(Figure(caption, fragments.data_of(standing.folder / file)))
    shown = [figure for figure in figures if figure.source]
    return fragments.verdict(entry["verified"], text) + fragments.images(shown, {caption: file.rpartition("/")[2]})
