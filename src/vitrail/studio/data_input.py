"""Inputs for a folder of images or a zip of it, which several tabs share."""

from __future__ import annotations

from secrets import token_hex

import gradio as gr

from vitrail.studio.context import StudioContext
from vitrail.studio.uploads import ZIP_BYTES, allowed_data, checked_upload, clean, unpacked


def data_input(label: str) -> tuple[gr.Textbox, gr.File]:
    """A folder on this machine, and a zip in its place."""
    folder = gr.Textbox("digits", label=label, info="On this machine; digits: packaged data set", lines=1)
    archive = gr.File(
        label=f"or a zip file of class folders (at most {ZIP_BYTES // 1_000_000} MB unpacked)",
        file_types=[".zip"],
        type="filepath",
    )
    return folder, archive


def chosen_data(context: StudioContext, where: str, zipped: str | None) -> str:
    """The folder, or that into which the zip was unpacked.

    Raises:
        BadSetting: the page may not read the folder, or the zip cannot be unpacked.
    """
    if not zipped:
        return allowed_data(where, context.roots)
    archive = checked_upload(zipped, context.uploads)
    home = context.uploads / "sets" / token_hex(16)
    folder = unpacked(archive, home)
    clean(context.uploads, f"{context.jobs.named_by_open()} {home}")
    return str(folder)
