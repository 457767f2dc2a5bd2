"""The page: seven tabs that share one context."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from importlib import resources
from typing import Any

import gradio as gr
from gradio.themes.utils import fonts

from vitrail.formatting import count
from vitrail.studio import attack, check, explain, gans, history, train, visualise
from vitrail.studio.context import EVENT_OPTIONS, StudioContext

KEEP_ALIVE_SECONDS = 20.0

HEAD = """<h1>Vitrail</h1><p>Check images; train, explain, attack and visualise image classifiers; train GANs.
This page belongs to one person: its address gives access to all runs and uploads.</p>"""
SANS = (fonts.Font("system-ui"), fonts.Font("Segoe UI"), fonts.Font("DejaVu Sans"), fonts.Font("sans-serif"))
MONO = (fonts.Font("ui-monospace"), fonts.Font("DejaVu Sans Mono"), fonts.Font("monospace"))

TAB_KEYS = """() => document.addEventListener("keydown", (event) => {
  const tab = event.target.closest && event.target.closest('[role="tab"]');
  if (!tab) return;
  const tabs = [...tab.closest('[role="tablist"]').querySelectorAll('[role="tab"]:not([disabled])')];
  const at = tabs.indexOf(tab), last = tabs.length - 1;
  const to = {ArrowRight: at < last ? at + 1 : 0, ArrowLeft: at > 0 ? at - 1 : last, Home: 0, End: last}[event.key];
  if (to === undefined) return;
  event.preventDefault();
  tabs[to].focus();
  tabs[to].click();
})"""
"""Arrow keys, Home and End in a list of tabs, as in the ARIA Authoring Practices; gradio's own tabs ignore them."""


def theme() -> gr.Theme:
    """A plain theme with system fonts, so that nothing is downloaded."""
    plain = gr.themes.Base(primary_hue="sky", neutral_hue="slate", font=SANS, font_mono=MONO)
    subdued = {"body_text_color_subdued", "block_info_text_color", "input_placeholder_color", "block_label_text_color"}
    return plain.set(  # the contrast of gradio's own greys is below WCAG AA
        **dict.fromkeys(subdued, "*neutral_600"),
        **dict.fromkeys((f"{name}_dark" for name in subdued), "*neutral_300"),
        button_primary_background_fill="#0369a1",
        button_primary_background_fill_hover="#075985",
        button_primary_text_color="white",
    )


def style() -> str:
    """The page's CSS."""
    return resources.files("vitrail.studio").joinpath("page.css").read_text(encoding="utf-8")


async def keep_alive() -> AsyncIterator[Any]:
    """Never ends: gradio closes the event stream after the last event, and a click at that moment is lost."""
    while True:
        yield gr.skip()
        await asyncio.sleep(KEEP_ALIVE_SECONDS)


def page(context: StudioContext) -> gr.Blocks:
    """All tabs; what a browser window shows is its own, and the runs are everybody's who has the address."""
    blocks: gr.Blocks
    with gr.Blocks(title="Vitrail", analytics_enabled=False, fill_width=True) as blocks:
        gr.HTML(HEAD, elem_id="head")
        summary = gr.HTML("", elem_id="summary")
        with gr.Tabs(selected="explain") as tabs:
            with gr.Tab("Explain", id="explain"):
                networks = [explain.screen(context)]
            with gr.Tab("Attack", id="attack"):
                networks.append(attack.screen(context))
            with gr.Tab("Visualise", id="visualise"):
                networks.append(visualise.screen(context))
            with gr.Tab("Check images", id="check"):
                checked = check.screen(context)
            with gr.Tab("Train a classifier", id="train"):
                classifier, use, suspects = train.screen(context)
            with gr.Tab("GANs", id="gans"):
                training = gans.screen(context)
            with gr.Tab("Runs", id="runs"):
                runs = history.screen(context)

        def use_classifier(folder: str) -> list[object]:
            choices = context.networks()
            return [*(gr.Dropdown(choices, value=folder) for _ in networks), gr.Tabs(selected="explain")]

        def load() -> list[Any]:
            names, trainings, folders = context.networks(), gans.training_runs(context), history.all_runs(context)
            return [
                f"<p>{count(len(names), 'network')} and {count(len(folders), 'run')} on this machine</p>",
                *(gr.Dropdown(names) for _ in networks),
                gr.Dropdown(trainings, value=trainings[0] if trainings else None),
                gr.Dropdown(folders, value=folders[:1]),
                gr.Dropdown(train.suspect_choices(context), value=""),
            ]

        blocks.load(load, None, [summary, *networks, training, runs, suspects], **EVENT_OPTIONS)
        blocks.load(keep_alive, None, [summary], **EVENT_OPTIONS)
        blocks.load(None, None, None, js=TAB_KEYS)
        checked.change(lambda: gr.Dropdown(train.suspect_choices(context)), None, [suspects], api_visibility="private")
        use.click(use_classifier, [classifier], [*networks, tabs], **EVENT_OPTIONS)
    blocks.queue(default_concurrency_limit=None, max_size=100)
    return blocks
