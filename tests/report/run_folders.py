"""Run folders as they lie on a disk, written by hand: the report must read what is there, not what a writer meant."""

import csv
import json
from pathlib import Path
from typing import Any

CLASSES = [
    *("bedroom", "suburb", "industrial", "kitchen", "living room", "coast", "forest", "highway"),
    *("inside city", "mountain", "open country", "street", "tall building", "office", "store"),
]
ENVIRONMENT = {"vitrail": "0.1.0", "python": "3.11.7", "libraries": {"torch": "2.14.1", "numpy": "2.3.0"}}


def write_run(folder: Path, task: str, settings: dict[str, Any], result: dict[str, Any]) -> Path:
    for part in ("plots", "images", "tables", "weights"):
        (folder / part).mkdir(parents=True)
    (folder / "settings.json").write_text(json.dumps({"task": task, "settings": settings}))
    (folder / "environment.json").write_text(json.dumps(ENVIRONMENT))
    (folder / "result.json").write_text(json.dumps({"task": task, "run": str(folder), **result}))
    (folder / "events.jsonl").write_text("")
    return folder


def say(folder: Path, **event: Any) -> None:
    with (folder / "events.jsonl").open("a") as file:
        file.write(json.dumps(event) + "\n")


def add_image(folder: Path, name: str, caption: str, png: bytes) -> None:
    (folder / "plots" / f"{name}.png").write_bytes(png)
    say(folder, event="plot", file=f"plots/{name}.png", caption=caption)


def add_table(folder: Path, name: str, title: str, rows: list[list[Any]]) -> None:
    with (folder / "tables" / f"{name}.csv").open("w", newline="") as file:
        csv.writer(file).writerows(rows)
    say(folder, event="table", file=f"tables/{name}.csv", title=title)


def transfer_result(accuracy: float, backbone: str, classes: list[str]) -> dict[str, Any]:
    values = [0.01, 0.1, 1.0, 10.0, 100.0]
    return {
        "seed": 0,
        "backbone": [{"name": backbone, "sha256": "0a" * 32}],
        "device": "cpu",
        "seconds": {"features": 31.2, "fit": 2.04, "total": 34.9},
        "images_per_second": 93.4,
        "test": {
            "accuracy": accuracy,
            "n": 1490,
            "interval": [accuracy - 0.013, accuracy + 0.012],
            "per_class": [{"name": name, "precision": 0.93, "recall": 0.9, "n": 99} for name in classes],
        },
        "choice": {"backbone": backbone, "layer": "pool", "C": 1.0, "head": "linear-svm"},
        "curve_C": [{"C": C, "accuracy": 0.9, "spread": 0.01} for C in values],
        "curve_layer": [{"layer": "stage5", "accuracy": 0.88}, {"layer": "pool", "accuracy": accuracy}],
        "skipped": [{"file": "kitchen/broken.jpg", "reason": "it ends early"}],
    }
