"""A folder of images in, a classifier with the proof of how good it is out."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import AfterValidator, model_validator

from vitrail.errors import BadSetting
from vitrail.settings import Names, Numbers, cache_folder, setting
from vitrail.tasks.sharded import Sharded

if TYPE_CHECKING:
    from vitrail.sharding.work import Work

BEST = ("efficientnet-lite0", "efficientnet-lite0-320", "squeezenet")
"""Networks whose joined features gave the highest cross-validated accuracy on the training part of 15-Scene."""


def _positive(values: tuple[float, ...]) -> tuple[float, ...]:
    if not all(value > 0 for value in values):
        raise BadSetting(f"C must be above 0; got {values}.")
    return values


class Transfer(Sharded):
    """Make a classifier from a folder of images: features of a pretrained network and a linear SVM."""

    folder: Path = setting(
        ..., "Folder with train/ and test/ class folders, class folders alone, a table, or tar files", positional=True
    )
    backbone: Names = setting(("efficientnet-lite0",), "Networks whose features are joined, by name: a,b")
    layer: Names = setting(("auto",), "Layers to use, by name: a,b; auto chooses by cross-validation")
    C: Annotated[Numbers, AfterValidator(_positive)] = setting((), "Values of C to choose from: 0.1,1,10")
    head: Literal["svm", "logistic", "fine-tune"] = setting(
        "svm", "The classifier on the features; fine-tune trains the network itself further"
    )
    scaling: Literal["square-root", "unit", "none"] = setting("square-root", "How features are scaled")
    flip: bool = setting(False, "Average the features with those of the mirrored image")
    preset: Literal["default", "best"] = setting("default", "best: three networks joined, mirrored copies; slower")
    tune: Literal["deep", "all"] = setting("deep", "What fine-tune trains: the deep layers, or all")
    epochs: int = setting(8, "How often fine-tune sees every image", ge=1)
    rate: float = setting(1e-4, "Highest learning rate of fine-tune", gt=0)
    weights: Path | None = setting(None, "Weights file of the backbone (safetensors, or a torch state dict)")
    test_share: float = setting(0.2, "Share held out for test when the folder has no test part", gt=0, lt=1)
    folds: int = setting(5, "Parts in cross-validation", ge=2)
    seed: int = setting(0, "Seed of the split and of cross-validation", ge=0)
    forward: Literal["auto", "eager", "channels-last", "openvino"] = setting("auto", "Forward pass; auto probes")
    device: str = setting("auto", "Device: auto, cpu, cuda, cuda:1")
    cache: Path = setting(cache_folder(), "Folder of the feature cache; shards do without")
    use_cache: bool = setting(True, "Keep features for the next run")

    def prepare(self) -> Work:
        """The networks, and the images to learn from and to test on."""
        from vitrail.tasks.transfer_work import Transferring

        return Transferring(self)

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
