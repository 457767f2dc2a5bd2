"""A folder of pictures in, a classifier with the proof of how good it is out."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator

from vitrail.errors import BadSetting
from vitrail.events import Event, Result
from vitrail.settings import Names, Numbers, Task, cache_folder, setting


def _positive(values: tuple[float, ...]) -> tuple[float, ...]:
    if not all(value > 0 for value in values):
        raise BadSetting(f"C must be above 0; got {values}.")
    return values


class Transfer(Task):
    """Make a classifier from a folder of pictures: features of a pretrained network and a linear SVM."""

    folder: Path = setting(..., "Folder with train/ and test/ class folders, or class folders alone", positional=True)
    backbone: Names = setting(("efficientnet-lite0",), "Networks whose features are joined, by name: a,b")
    layer: Names = setting(("auto",), "Layers to use, by name: a,b; auto chooses by cross-validation")
    C: Annotated[Numbers, AfterValidator(_positive)] = setting((), "Values of C to choose from: 0.1,1,10")
    head: Literal["svm", "logistic"] = setting("svm", "The classifier on the features")
    scaling: Literal["square-root", "unit", "none"] = setting("square-root", "How features are scaled")
    flip: bool = setting(False, "Average the features with those of the mirrored picture")
    preset: Literal["default", "best"] = setting("default", "best: three networks joined, mirrored copies; slower")
    weights: Path | None = setting(None, "Weights file of the backbone (safetensors, or a torch state dict)")
    test_share: float = setting(0.2, "Share held out for test when the folder has no test part", gt=0, lt=1)
    folds: int = setting(5, "Parts in cross-validation", ge=2)
    seed: int = setting(0, "Seed of the split and of cross-validation", ge=0)
    engine: Literal["auto", "eager", "channels-last", "openvino"] = setting("auto", "Forward pass; auto probes")
    device: str = setting("auto", "Device: auto, cpu, cuda, cuda:1")
    cache: Path = setting(cache_folder(), "Folder of the feature cache")
    use_cache: bool = setting(True, "Keep features for the next run")

    def run(self) -> Iterator[Event]:
        """Yields figures, tables and pictures; the last event is the `Result`."""
        from vitrail.tasks.transfer_steps import evaluate, features_of, fit, open_data, report  # noqa: PLC0415

        started = time.perf_counter()
        train, test, tables = open_data(self)
        yield from tables
        made = yield from features_of(self, train, test)
        fitted = yield from fit(self, made)
        figures = yield from evaluate(self, made, fitted)
        yield from report(self, made, fitted, figures)
        seconds = {"features": made.seconds, "fit": fitted.seconds, "total": time.perf_counter() - started}
        pictures = len(made.train) + len(made.test)
        yield Result(
            {
                **figures,
                "backbone": made.backbones,
                "device": made.device,
                "seconds": seconds,
                "images_per_second": pictures / made.seconds,
                "forward": made.forward,
                "computed": made.computed,
                "skipped": made.skipped,
            }
        )

    @property
    def networks(self) -> tuple[str, ...]:
        """The backbones' names, the preset applied."""
        best = self.preset == "best" and "backbone" not in self.model_fields_set
        return ("efficientnet-lite0", "efficientnet-lite0-320", "squeezenet") if best else self.backbone

    @property
    def flips(self) -> bool:
        """Whether mirrored copies count, the preset applied."""
        return self.flip or (self.preset == "best" and "flip" not in self.model_fields_set)
