"""A folder of pictures in, a classifier with the proof of how good it is out."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, model_validator

from vitrail.errors import BadSetting
from vitrail.events import Event, Note, Result
from vitrail.settings import Names, Numbers, Task, cache_folder, setting

BEST = ("efficientnet-lite0", "efficientnet-lite0-320", "squeezenet")
"""Networks whose joined features gave the highest cross-validated accuracy on the training part of 15-Scene."""


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
    head: Literal["svm", "logistic", "fine-tune"] = setting(
        "svm", "The classifier on the features; fine-tune trains the network itself further"
    )
    scaling: Literal["square-root", "unit", "none"] = setting("square-root", "How features are scaled")
    flip: bool = setting(False, "Average the features with those of the mirrored picture")
    preset: Literal["default", "best"] = setting("default", "best: three networks joined, mirrored copies; slower")
    tune: Literal["deep", "all"] = setting("deep", "What fine-tune trains: the deep layers, or all")
    epochs: int = setting(8, "How often fine-tune sees every picture", ge=1)
    rate: float = setting(1e-4, "Highest learning rate of fine-tune", gt=0)
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
        from vitrail.tasks.transfer_data import open_data, readable  # noqa: PLC0415  (imported when it runs)
        from vitrail.tasks.transfer_fit import extractors_of, fine_tuned, linear  # noqa: PLC0415
        from vitrail.tasks.transfer_report import pictures, tables  # noqa: PLC0415
        from vitrail.transfer.features import shown_skips  # noqa: PLC0415
        from vitrail.transfer.joined import join  # noqa: PLC0415

        started = time.perf_counter()
        home = self.cache.parent / "datasets"
        parts, split = open_data(self.folder, home=home, test_share=self.test_share, seed=self.seed)
        yield from split
        extractors = extractors_of(self)
        joined = yield from join(extractors, (*parts[0].files, *parts[1].files))
        for reason in joined.skipped.values():
            yield Note(f"Skipped: {reason}")
        fit_started = time.perf_counter()
        data = (*readable(*parts, joined), joined)
        outcome, weights = yield from (fine_tuned if self.head == "fine-tune" else linear)(self, *data)
        fit_seconds = time.perf_counter() - fit_started
        yield from tables(outcome)
        yield from pictures(outcome)
        yield from weights
        seconds = {"features": joined.seconds, "fit": fit_seconds, "total": time.perf_counter() - started}
        yield Note(f"Seconds: {', '.join(f'{part} {value:.1f}' for part, value in seconds.items())}.")
        yield Result(
            {
                **outcome.figures(),
                "backbone": [extractor.identity() for extractor in extractors],
                "device": joined.device or self.device,
                "seconds": seconds,
                "images_per_second": len(joined.kept) / joined.seconds,
                "forward": dict(joined.forward),
                "computed": joined.computed,
                "skipped": shown_skips(joined.skipped),
            }
        )

    @model_validator(mode="before")
    @classmethod
    def _preset(cls, values: dict[str, Any]) -> dict[str, Any]:
        """What a preset stands for, unless it is given; kept in settings.json as if it had been given."""
        return {"backbone": BEST, "flip": True, **values} if values.get("preset") == "best" else values

    @model_validator(mode="after")
    def _one_network_and_layer_to_tune(self) -> Transfer:
        for kind, names in (("network", self.backbone), ("layer", self.layer)):
            if self.head == "fine-tune" and len(names) > 1:
                raise BadSetting(f"fine-tune takes one {kind}; got {len(names)}: {', '.join(names)}.")
        return self
