"""Curves for TensorBoard."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from vitrail.errors import MissingExtra


class TensorBoardWriter:
    """Writes scalars to a folder that TensorBoard reads; does nothing without a folder.

    Raises:
        MissingExtra: a folder is given and tensorboard is not installed.
    """

    def __init__(self, folder: str | Path | None) -> None:
        self._writer: Any = None
        if folder is not None:
            try:
                from torch.utils.tensorboard import SummaryWriter
            except ImportError:
                raise MissingExtra(
                    "Curves for TensorBoard need tensorboard. Use `pip install 'vitrail[tensorboard]'`."
                ) from None
            self._writer = SummaryWriter(str(folder))

    def add(self, step: int, values: Mapping[str, float]) -> None:
        """Adds one point to each curve."""
        if self._writer is not None:
            for name, value in values.items():
                self._writer.add_scalar(name, value, step)

    def __enter__(self) -> TensorBoardWriter:
        return self

    def __exit__(self, *_: object) -> None:
        if self._writer is not None:
            self._writer.close()
