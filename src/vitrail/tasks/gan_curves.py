"""Curves for TensorBoard, if somebody wants them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from vitrail.errors import MissingExtra


class Curves:
    """Writes figures to a folder that TensorBoard reads; without a folder, nothing.

    Raises:
        MissingExtra: a folder is given and tensorboard is not installed.
    """

    def __init__(self, folder: Path | None) -> None:
        self._writer: Any = None
        if folder is not None:
            try:
                from torch.utils.tensorboard import SummaryWriter
            except ImportError:
                raise MissingExtra("Curves for TensorBoard need `pip install 'vitrail[tensorboard]'`.") from None
            self._writer = SummaryWriter(str(folder))

    def add(self, step: int, figures: Mapping[str, float]) -> None:
        """One point of each curve."""
        if self._writer is not None:
            for name, value in figures.items():
                self._writer.add_scalar(name, value, step)

    def __enter__(self) -> Curves:
        return self

    def __exit__(self, *_: object) -> None:
        if self._writer is not None:
            self._writer.close()
