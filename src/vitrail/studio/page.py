"""The page: six screens on one desk."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from importlib import resources
from typing import Any

import gradio as gr
from gradio.themes.utils import fonts

from vitrail.studio import fool, gans, history, look, train, visualise
from vitrail.studio.desk import QUIET, Desk

SECONDS_OF_SILENCE = 20.0

SANS = (fonts.Font("system-ui"), fonts.Font("Segoe UI"), fonts.Font("DejaVu Sans"), fonts.Font("sans-serif"))
MONO = (fonts.Font("ui-monospace"), fonts.Font("DejaVu Sans Mono"), fonts.Font("monospace"))


def theme() -> gr.Theme:
    """Plain, with the system's own fonts: nothing is fetched from elsewhere."""
    plain = gr.themes.Base(primary_hue="sky", neutral_hue="slate", font=SANS, font_mono=MONO)
    quiet = {"body_text_color_subdued", "block_info_text_color", "input_placeholder_color", "block_label_text_color"}
    return plain.set(  # gradio's own greys are too light to be read by everybody
        **dict.fromkeys(quiet, "*neutral_600"),
        **dict.fromkeys((f"{name}_dark" for name in quiet), "*neutral_300"),
        button_primary_background_fill="#0369a1",
        button_primary_background_fill_hover="#075985",
        button_primary_text_color="white",
    )


def style() -> str:
    """The page's own rules."""
    return resources.files("vitrail.studio").joinpath("page.css").read_text(encoding="utf-8")


async def open_line() -> AsyncIterator[Any]:
    """Never ends, and says nothing: gradio closes the line after the last event, and loses a click of that moment."""
    while True:
        yield gr.skip()
        await asyncio.sleep(SECONDS_OF_SILENCE)


def page(desk: Desk) -> gr.Blocks:
    """All screens; whoever opens it gets a session of their own."""
    blocks: gr.Blocks
    with gr.Blocks(title="Vitrail", analytics_enabled=False, fill_width=True) as blocks:
        gr.HTML("<h1>Vitrail</h1><p>Images and networks: a window one looks through, and at.</p>", elem_id="head")
        here = gr.HTML("", elem_id="here")
        with gr.Tabs(selected="look") as tabs:
            with gr.Tab("Look", id="look"):
                networks = [look.screen(desk)]
            with gr.Tab("Fool", id="fool"):
                networks.append(fool.screen(desk))
            with gr.Tab("Visualise", id="visualise"):
                networks.append(visualise.screen(desk))
            with gr.Tab("Train a classifier", id="train"):
                made, taken = train.screen(desk)
            with gr.Tab("GANs", id="gans"):
                watched = gans.screen(desk)
            with gr.Tab("Runs", id="runs"):
                kept = history.screen(desk)

        def take(folder: str, request: gr.Request) -> list[object]:
            choices = desk.networks(str(request.session_hash))
            return [*(gr.Dropdown(choices, value=folder) for _ in networks), gr.Tabs(selected="look")]

        def fresh(request: gr.Request) -> list[Any]:
            owner = str(request.session_hash)
            trainings, names, runs = gans.watchable(desk), desk.networks(owner), history.all_runs(desk, owner)
            return [
                f"<p>{len(names)} networks and {len(runs)} runs on this machine.</p>",
                *(gr.Dropdown(names) for _ in networks),
                gr.Dropdown(trainings, value=trainings[0] if trainings else None),
                gr.Dropdown(runs, value=runs[:1]),
            ]

        blocks.load(fresh, None, [here, *networks, watched, kept], **QUIET)
        blocks.load(open_line, None, [here], **QUIET)
        taken.click(take, [made], [*networks, tabs], **QUIET)
    blocks.queue(default_concurrency_limit=None, max_size=100)
    return blocks
