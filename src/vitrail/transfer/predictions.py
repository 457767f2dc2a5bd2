"""The most probable classes of images, in the form of `result.json`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from vitrail.image_files import display_name


def top_classes(
    files: Sequence[Path], probabilities: np.ndarray, names: Sequence[str], top_k: int
) -> list[dict[str, Any]]:
    """For each file, `file` and `top[]`: `index`, `name` and `probability` of its `top_k` most probable classes.

    Args:
        probabilities: (n, K).
    """
    order = np.argsort(-probabilities, axis=1, kind="stable")[:, :top_k]
    return [
        {
            "file": display_name(file),
            "top": [{"index": int(k), "name": names[k], "probability": float(row[k])} for k in best],
        }
        for file, row, best in zip(files, probabilities, order, strict=True)
    ]
