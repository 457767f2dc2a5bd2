"""Bad paths, images to save, data sets, runs and estimators; see `of_networks`."""

import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from attempts import Attempt, report
from PIL import Image

import vitrail
from vitrail.transfer import DeepFeatures, TransferClassifier, load

NAN, INF = float("nan"), float("inf")
HOME = Path(tempfile.mkdtemp())
PATHS: dict[str, Any] = {
    **{"nothing": None, "bytes": b"images", "a number": 3, "a dictionary": {}, "empty": "", "blank": "  "},
    "not there": "x",
    **{"too long a name": "x" * 300, "too long a path": "x/" * 3000, "a null": "a\0b", "not there either": HOME / "x"},
}
LISTS: dict[str, Any] = {"of nothing": [None], "of empty paths": ["a.png", ""], "of numbers": [1], "of lists": [["a"]]}
unit = torch.rand(3, 8, 8)
PICTURES: dict[str, Any] = {
    **{"batch": unit[None], "four channels": torch.rand(4, 8, 8), "channels last": unit.permute(1, 2, 0)},
    **{"plane": unit[0], "empty": unit[:, :0], "8 bits as float": unit * 255, "negative": unit - 1, "NaN": unit * NAN},
    **{"infinite": unit * INF, "int64": (unit * 255).long(), "array": unit.numpy(), "path": "a.png", "nothing": None},
    "Pillow's": Image.new("RGB", (8, 8)),
}
SETTINGS: dict[str, tuple[Any, ...]] = {
    "backbone": ("", [], "nope", None, 3, [None], ","),
    "layers": ("", [], "nope", None, 3, ("nope",)),
    "C": (0, -1, NAN, INF, "1"),
    "head": ("nope", None, "fine-tune"),
    "feature_scaling": ("nope", None),
    "folds": (0, 1, 1.5, None),
    "seed": (-1, 0.5, 2**40, None),
    "inference_engine": ("nope", None),
    "device": ("nope", None),
    "average_flip": ("yes", None, 1),
    "weights": ("", 3, b"a", "a\0b", "x" * 300, []),
    "cache": ("", 3, b"a", "a\0b", "x" * 300, []),
}
LABELS: dict[str, Any] = {
    **{"nothing": None, "a number": 3, "text": "dark" * 3, "numbers between classes": np.linspace(0, 1, 12)},
    **{"NaN": np.full(12, NAN), "two axes": [["dark"], ["light"]] * 6, "none": [], "nothing each": [None] * 12},
}


def attempts() -> Iterator[Attempt]:
    """All attempts."""
    doors: dict[str, Callable[[Any], Any]] = {
        "find_images": vitrail.find_images,
        "read_image": vitrail.read_image,
        "open_dataset": vitrail.open_dataset,
        "read_run": vitrail.read_run,
        "load": load,
        "vitrail.load": vitrail.load,
    }
    for door, call in doors.items():
        for name, path in PATHS.items():
            if not (door == "read_image" and name == "bytes"):  # the content of a file
                yield door, name, partial(call, path)
    for name, paths in LISTS.items():
        yield "find_images", name, partial(vitrail.find_images, paths)
    for name, picture in PICTURES.items():
        yield "save_image", name, partial(vitrail.save_image, picture, HOME / "a.png")
    for name in ("a.jpg", "", None, "x" * 300 + ".png"):
        yield "save_image", f"to {name}"[:20], partial(vitrail.save_image, unit, name)
    for name, value in {"a name": "nope", "nothing": None, "a number": 3}.items():
        yield "run", name, lambda value=value: vitrail.run(value, run_dir=HOME / "run")
    yield from _estimators()


def _estimators() -> Iterator[Attempt]:
    files, labels = [], np.array(["dark", "light"] * 6)
    for number, label in enumerate(labels):
        path = HOME / f"{number}.png"
        vitrail.save_image((unit * 0.3 + 0.6 * (label == "light")).clamp(0, 1), path)
        files.append(path)
    kinds: dict[str, Callable[..., Any]] = {"DeepFeatures": DeepFeatures, "TransferClassifier": TransferClassifier}
    tiny = {"backbone": "tiny", "cache": HOME / "cache"}
    fitted = TransferClassifier(**tiny, C=1.0, layers="features").fit(files, labels)
    for kind, made in kinds.items():
        for name, values in SETTINGS.items():
            for value in values:
                if name in DeepFeatures().get_params() or kind == "TransferClassifier":
                    estimator = partial(made, **{**tiny, "layers": "features", name: value})
                    yield kind, f"{name}={value!r}", partial(_use, estimator, files, labels)
        arrays = {"no axis": np.array("a.png"), "two axes": np.array([["a.png"]]), "numbers in an array": np.zeros(3)}
        for name, paths in (PATHS | LISTS | {"none": []} | arrays).items():
            call = fitted.predict if kind == "TransferClassifier" else DeepFeatures(**tiny).fit_transform
            yield kind, f"files: {name}", partial(call, paths)
    for name, wrong in {"too few": labels[:3], "one class": labels[[0] * 12], **LABELS}.items():
        yield "TransferClassifier", f"labels: {name}", partial(TransferClassifier(**tiny).fit, files, wrong)
    for name in ("predict", "predict_proba", "decision_function"):
        yield "TransferClassifier", f"not fitted: {name}", partial(getattr(TransferClassifier(**tiny), name), files)
    for value in SETTINGS["weights"]:
        yield "load", f"weights={value!r}"[:20], partial(load, "tiny", weights=value)
    backbone = vitrail.load("tiny")
    for name, paths in (PATHS | LISTS).items():
        yield "Backbone.predict", name, partial(backbone.predict, paths)
    for top_k in (0, -1, 1.5, None):
        yield "Backbone.predict", f"top_k={top_k}", partial(backbone.predict, files[:1], top_k=top_k)


def _use(made: Callable[[], Any], files: list[Path], labels: np.ndarray) -> None:
    estimator = made()
    if isinstance(estimator, TransferClassifier):
        estimator.fit(files, labels).predict(files)
    else:
        estimator.fit_transform(files)


report(attempts())
