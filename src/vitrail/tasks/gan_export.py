"""A trained generator as files that others can use: its weights with their description, or an ONNX model."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from vitrail.events import Event
from vitrail.settings import setting
from vitrail.task import Task


class GanExport(Task):
    """Export a generator: as weights with what rebuilds it, or as ONNX, each read again and compared before it is kept.

    Of a training that is not finished the generator of the last checkpoint is taken.
    """

    generator: Path = setting(..., "Run folder of `vitrail gan train`", positional=True)
    format: Literal["safetensors", "onnx", "both"] = setting(
        "safetensors", "safetensors: weights and a JSON description; onnx: a model that runs without torch"
    )

    def run(self) -> Iterator[Event]:
        """Yields the files; the last event is the `Result`."""
        from vitrail.tasks.gan_export_run import run

        yield from run(self)
