from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from run_folders import CLASSES, add_image, add_table, say, transfer_result, write_run

from vitrail.plots import Axis, Guess, Line, confusion, curve, top_bars

RunMaker = Callable[..., Path]


@pytest.fixture
def transfer_run(tmp_path: Path) -> RunMaker:
    def make(
        name: str = "scenes", accuracy: float = 0.923, backbone: str = "efficientnet-lite0", classes: Any = CLASSES
    ) -> Path:
        result = transfer_result(accuracy, backbone, classes)
        folder = write_run(
            tmp_path / name, "transfer", {"folder": "scenes/train", "test": "scenes/test", "C": None}, result
        )
        say(folder, event="progress", stage="features", done=10, total=20)
        say(folder, event="note", text="One image was skipped.")
        counts = np.random.default_rng(0).integers(0, 3, (len(classes), len(classes))) + 90 * np.eye(
            len(classes), dtype=int
        )
        add_image(folder, "confusion", "Confusion on the test images.", confusion(counts, classes))
        line = Line([0.01, 0.1, 1.0, 10.0, 100.0], [0.85, 0.9, 0.92, 0.91, 0.88], spread=[0.01] * 5)
        png = curve([line], Axis("C", "accuracy", log_x=True, percent_y=True), marks={"chosen": 1.0})
        add_image(folder, "curve_C", "Accuracy in 5-fold cross-validation against C.", png)
        rows = [["file", "true", "predicted"], *([f"{index}.jpg", "store", "kitchen"] for index in range(120))]
        add_table(folder, "mistakes", "All mistakes", rows)
        (folder / "weights" / "classifier.safetensors").write_bytes(b"\0" * 78_000)
        return folder

    return make


@pytest.fixture
def classify_run(tmp_path: Path) -> Path:
    from skimage import data

    names, shares = ["tabby, tabby cat", "tiger cat", "lynx"], [0.71, 0.2, 0.0002]
    top = [
        {"index": index, "name": name, "probability": share}
        for index, (name, share) in enumerate(zip(names, shares, strict=True))
    ]
    result = {
        "backbone": [{"name": "squeezenet", "sha256": "0b" * 32}],
        "device": "cpu",
        "seconds": {"total": 0.41},
        "images": [{"file": "chelsea.png", "top": top}],
        "skipped": [],
    }
    folder = write_run(tmp_path / "cat", "classify", {"images": ["chelsea.png"], "top": 3}, result)
    png = top_bars([Guess(data.chelsea(), names, shares, "chelsea.png")])
    add_image(folder, "top", "chelsea.png: tabby, tabby cat 71.0 %", png)
    return folder
