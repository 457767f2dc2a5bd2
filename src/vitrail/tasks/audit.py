"""Audit of a network on a set of images: robust accuracy, minimal perturbations, and faithfulness of maps."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from pydantic import AfterValidator

from vitrail.attacks import EPSILONS
from vitrail.attributions import ATTRIBUTIONS, DEFAULT_METHOD
from vitrail.backbones import DEFAULT_BACKBONE
from vitrail.registry import display_name
from vitrail.settings import (
    DATA,
    MEASURING,
    METHOD,
    NETWORK,
    Numbers,
    Quotient,
    device_setting,
    memory_setting,
    seed_setting,
    setting,
    weights_setting,
)
from vitrail.sharding.sharded_task import Sharded

if TYPE_CHECKING:
    from vitrail.sharding.work import Work

SHARD_SETTINGS = ("method", "linf", "l2", "autoattack", "autoattack_epsilon", "memory", "seed")
"""What the measurements of a shard depend on, besides the images and the network."""


def _rising(values: tuple[float, ...]) -> tuple[float, ...]:
    if not values or min(values) <= 0:
        raise ValueError(f"must have values above 0; got {', '.join(map(str, values)) or 'none'}. Use e.g. 0.01.")
    return tuple(sorted(set(values)))


def _in_linf(values: tuple[float, ...]) -> tuple[float, ...]:
    for value in values:
        if value > 1:
            use = f"{value:g}/255" if value <= 255 else "e.g. 8/255"
            raise ValueError(f"is at most 1 for L-infinity, as intensities are in [0, 1]; got {value:g}. Use {use}.")
    return values


def _one_in_linf(value: float) -> float:
    return _in_linf((value,))[0]


Epsilons = Annotated[Numbers, AfterValidator(_rising)]


class Audit(Sharded):
    """Audit a network on a set of images: robust accuracy, minimal perturbations, and faithfulness of its maps."""

    folder: Path = setting(
        ...,
        "Images; labels from class folders (test part of train/ and test/), a table or tar files",
        panel=DATA,
        positional=True,
        place="images",
    )
    labels: Path | None = setting(
        None, "CSV with the columns file and class_index (or label: a class name or number)", panel=DATA
    )
    max_images: int | None = setting(
        None, "Number of images at most, drawn by the seed; default: all", panel=DATA, ge=1
    )
    method: str = setting(
        DEFAULT_METHOD, f"Attribution method of the maps: {', '.join(map(display_name, ATTRIBUTIONS))}", panel=METHOD
    )
    linf: Annotated[Epsilons, AfterValidator(_in_linf)] = setting(
        EPSILONS["linf"], "Epsilon values, L-infinity, in pixel intensity [0, 1]", panel=MEASURING
    )
    l2: Epsilons = setting(EPSILONS["l2"], "Epsilon values, L2, in pixel intensity", panel=MEASURING)
    autoattack: bool = setting(False, "The official AutoAttack as well, at one epsilon (slow)", panel=MEASURING)
    autoattack_epsilon: Annotated[Quotient, AfterValidator(_one_in_linf)] = setting(
        1 / 255, "Epsilon of AutoAttack, L-infinity", panel=MEASURING, gt=0
    )
    backbone: str = setting(
        DEFAULT_BACKBONE, "Network, by name, or a run folder of `vitrail transfer`", panel=NETWORK, place="path"
    )
    weights: Path | None = weights_setting()
    seed: int = seed_setting("the draw of images, random starts and random maps")
    memory: int = memory_setting()
    device: str = device_setting()

    def prepare(self) -> Work:
        """The network, and the images with their labels."""
        from vitrail.audit.measurements import Auditor
        from vitrail.audit.shard_work import AuditWork
        from vitrail.datasets.network_labels import read_network_labels
        from vitrail.image_ascent.batching import MIB
        from vitrail.tasks.audit_report import report
        from vitrail.transfer.classifier import open_network

        ATTRIBUTIONS.check(self.method)
        network = open_network(self.backbone, weights=self.weights, device=self.device)
        auditor = Auditor(
            network,
            method=self.method,
            epsilons={"linf": self.linf, "l2": self.l2},
            autoattack_epsilon=self.autoattack_epsilon if self.autoattack else None,
            seed=self.seed,
            memory=self.memory * MIB,
        )
        return AuditWork(
            auditor,
            read_network_labels(self.folder, network.classes, table=self.labels),
            source=self.folder,
            max_images=self.max_images,
            seed=self.seed,
            settings=self.model_dump(mode="json", include=set(SHARD_SETTINGS)),
            interruptible=not self.is_sharded,
            report=partial(report, folder=self.folder, backbone=self.backbone),
        )
