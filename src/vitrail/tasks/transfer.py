"""Training of an image classifier by transfer learning: the settings."""

from __future__ import annotations

import time
from collections.abc import Generator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import AfterValidator, model_validator

from vitrail.backbones import BACKBONES, DEFAULT_BACKBONE
from vitrail.errors import BadSetting
from vitrail.events import Progress
from vitrail.settings import (
    DATA,
    MEASURING,
    METHOD,
    NETWORK,
    OPTIMISATION,
    RUNNING,
    Names,
    Numbers,
    cache_setting,
    device_setting,
    seed_setting,
    setting,
    weights_setting,
)
from vitrail.sharding.sharded_task import Sharded

if TYPE_CHECKING:
    import numpy as np

    from vitrail.sharding.work import Work
    from vitrail.transfer.features import Extractor
    from vitrail.transfer.fine_tuning import FineTuning
    from vitrail.transfer.fitting import Fitting
    from vitrail.transfer.pipeline import ReadableSplit

BEST = ("efficientnet-lite0", "efficientnet-lite0-320", "squeezenet")
"""Networks of `--preset best`: the highest cross-validated accuracy on the training images of 15-Scene."""


def _positive(values: tuple[float, ...]) -> tuple[float, ...]:
    if not all(value > 0 for value in values):
        raise ValueError(f"must be above 0; got {', '.join(map(str, values))}. Use e.g. 1.")
    return values


class Transfer(Sharded):
    """Train a classifier on a folder of images: features of a pretrained network and a linear SVM."""

    folder: Path = setting(
        ...,
        "Images with classes: folder of class folders (or of parts), table, or tar files",
        panel=DATA,
        positional=True,
        place="images",
    )
    test_share: float = setting(
        0.2, "Share of images held out for testing, if the data have no test part", panel=DATA, gt=0, lt=1
    )
    leave_out: Path | None = setting(
        None, "Table of images to leave out, such as suspects.csv of `vitrail check`", panel=DATA, place="path"
    )
    backbone: Names = setting(
        (DEFAULT_BACKBONE,), "Pretrained networks, comma-separated; see `vitrail list backbones`", panel=NETWORK
    )
    layer: Names = setting(
        ("auto",), "Feature layers, comma-separated; auto: chosen by cross-validation", panel=NETWORK
    )
    preset: Literal["default", "best"] = setting(
        "default", "Preset; best: three networks and --average-flip, slower", panel=METHOD
    )
    head: Literal["svm", "logistic", "fine-tune"] = setting(
        "svm", "Classifier: linear SVM, logistic regression, or fine-tuned network", panel=METHOD
    )
    C: Annotated[Numbers, AfterValidator(_positive)] = setting(
        (), "Values of C to choose from by cross-validation, e.g. 0.1,1,10", panel=METHOD
    )
    feature_scaling: Literal["square-root", "unit", "none"] = setting(
        "square-root", "Scaling of features; square-root also has unit length", panel=METHOD
    )
    average_flip: bool = setting(False, "Features averaged over the image and its mirror image", panel=METHOD)
    folds: int = setting(5, "Number of folds of cross-validation", panel=METHOD, ge=2)
    train_layers: Literal["deep", "all"] = setting(
        "deep", "Layers that fine-tuning trains; deep: after the first feature layer", panel=OPTIMISATION
    )
    epochs: int = setting(8, "Number of epochs of fine-tuning", panel=OPTIMISATION, ge=1)
    learning_rate: float = setting(1e-4, "Maximum learning rate of fine-tuning", panel=OPTIMISATION, gt=0)
    find_copies: bool = setting(
        True, "Search for altered copies of test images among the training images", panel=MEASURING
    )
    weights: Path | None = weights_setting()
    seed: int = seed_setting("the split, cross-validation and fine-tuning")
    inference_engine: Literal["auto", "eager", "channels-last", "openvino", "cuda-graph", "compiled"] = setting(
        "auto", "Inference engine of the networks; auto measures", panel=RUNNING
    )
    precision: Literal["auto", "float32"] = setting(
        "auto", "Precision of features; auto: bfloat16 where faster and no less accurate", panel=RUNNING
    )
    device: str = device_setting()
    cache: Path = cache_setting()
    use_cache: bool = setting(True, "Feature cache (never with --shards)", panel=RUNNING)

    def prepare(self) -> Work:
        """Opens the networks, and the images to train and to test on."""
        from vitrail.datasets.splits import open_train_test
        from vitrail.tasks.transfer_report import report
        from vitrail.transfer.transfer_work import TransferWork

        started = time.perf_counter()
        home = self.cache.parent / "datasets"
        return TransferWork(
            open_train_test(
                self.folder, home=home, test_share=self.test_share, seed=self.seed, leave_out=self.leave_out
            ),
            [self._extractor(name) for name in self.backbone],
            self._fitting(),
            self._fine_tuning() if self.head == "fine-tune" else None,
            source=str(self.folder),
            report=report,
            near_copies=self._near_copies if self.find_copies else None,
            precision=self.precision,
            in_shards=self.is_sharded,
            started=started,
        )

    def _near_copies(self, data: ReadableSplit) -> Generator[Progress, None, np.ndarray]:
        from vitrail.dataset_check import find_near_copies

        return (yield from find_near_copies(data.train.files, data.test.files, *data.last_layer(), seed=self.seed))

    def _extractor(self, name: str) -> Extractor:
        from vitrail.transfer.features import Extractor

        layers: tuple[str, ...] = BACKBONES[name].feature_layers
        if self.head == "fine-tune":
            layers = layers[-1:]  # the input of the last layer, which is replaced
        return Extractor(
            BACKBONES[name],
            layers if self.layer == ("auto",) else self.layer,
            weights=self.weights,
            flip=self.average_flip,
            cache=self.cache if self.use_cache and not self.is_sharded else None,
            engine=self.inference_engine,
            device=self.device,
            deterministic=self.is_sharded,
        )

    def _fitting(self) -> Fitting:
        """The linear classifier; fine-tuning starts from an SVM on unscaled features of its one layer."""
        from vitrail.transfer.fitting import Fitting

        options: dict[str, Any] = {"Cs": self.C, "folds": self.folds, "seed": self.seed}
        if self.head == "fine-tune":
            return Fitting("svm", scaling="none", choose_layers=False, **options)
        return Fitting(self.head, scaling=self.feature_scaling, choose_layers=self.layer == ("auto",), **options)

    def _fine_tuning(self) -> FineTuning:
        from vitrail.transfer.fine_tuning import FineTuning

        return FineTuning(
            self.train_layers,
            self.epochs,
            learning_rate=self.learning_rate,
            engine=self.inference_engine,
            device=self.device,
            seed=self.seed,
        )

    @model_validator(mode="before")
    @classmethod
    def _preset(cls, values: dict[str, Any]) -> dict[str, Any]:
        """Sets the preset's values where none are given; settings.json records them like given ones."""
        return {"backbone": BEST, "average_flip": True, **values} if values.get("preset") == "best" else values

    @model_validator(mode="after")
    def _one_network_and_layer_to_fine_tune(self) -> Transfer:
        for kind, names in (("network", self.backbone), ("layer", self.layer)):
            if self.head == "fine-tune" and len(names) > 1:
                raise BadSetting(f"--head fine-tune takes one {kind}; got {len(names)}: {', '.join(names)}.")
        return self
