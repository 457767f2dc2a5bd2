"""Images in, attribution maps out, each with metrics that say whether to trust it."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Self

from pydantic import model_validator

from vitrail.attributions import ATTRIBUTIONS, DEFAULT_METHOD
from vitrail.backbones import DEFAULT_BACKBONE
from vitrail.errors import BadImage, BadSetting
from vitrail.events import Event, Progress, Result, skipped_notes
from vitrail.registry import display_name
from vitrail.settings import (
    DATA,
    MEASURING,
    METHOD,
    NETWORK,
    Names,
    device_setting,
    memory_setting,
    seed_setting,
    setting,
    weights_setting,
)
from vitrail.sharding.sharded_task import Sharded

if TYPE_CHECKING:
    from vitrail.attributions.explainer import Explainer
    from vitrail.datasets.data_card import DataCard
    from vitrail.sharding.work import Work

SHARD_SETTINGS = ("method", "target", "faithfulness", "randomisation_test", "samples", "noise", "memory", "seed")
"""What the maps in a shard depend on, besides the images and the networks."""


class Explain(Sharded):
    """Show which pixels support a class: attribution maps, each with its faithfulness and a verdict."""

    images: tuple[Path, ...] = setting(
        ..., "Images, folders of images, tar files, or patterns", panel=DATA, positional=True, place="images"
    )
    method: Names = setting(
        (DEFAULT_METHOD,), f"Methods, comma-separated: {', '.join(map(display_name, ATTRIBUTIONS))}", panel=METHOD
    )
    target: str = setting(
        "@top", "Class to explain, by name or number; @top: the likeliest of each image", panel=METHOD
    )
    backbone: Names = setting(
        (DEFAULT_BACKBONE,),
        "Networks or run folders of `vitrail transfer`, comma-separated",
        panel=NETWORK,
        place="path",
    )
    weights: Path | None = weights_setting()
    faithfulness: bool = setting(True, "Deletion and insertion, those of random maps, and the verdict", panel=MEASURING)
    randomisation_test: bool = setting(False, "Rank correlation with maps of shuffled weights", panel=MEASURING)
    segment: bool = setting(False, "Mask and box of the object that a map marks", panel=MEASURING)
    samples: int | None = setting(
        None, "Samples per image of methods that draw any; default: their own", panel=METHOD, ge=1
    )
    noise: float = setting(
        0.15, "Standard deviation of the noise of smooth-grad and var-grad, in [0, 1]", panel=METHOD, gt=0
    )
    seed: int = seed_setting("samples, random maps and shuffled weights")
    memory: int = memory_setting()
    device: str = device_setting()

    @model_validator(mode="after")
    def _arrays_only_in_shards(self) -> Self:
        if self.is_sharded and self.segment:
            raise BadSetting("--segment draws each image, and shards hold arrays only. Leave out one of the two.")
        return self

    def prepare(self) -> Work:
        """The networks, and the list of images."""
        from vitrail.attributions.shard_work import ExplainWork
        from vitrail.datasets.data_card import image_card
        from vitrail.folder_walk import LeftOut
        from vitrail.image_files import iter_images
        from vitrail.path_list import PathList

        settings = self.model_dump(mode="json", include=set(SHARD_SETTINGS))
        left_out = LeftOut()
        files = PathList(iter_images(self.images, left_out))

        def card(images: int, unreadable: int) -> DataCard:
            return image_card(self.images, images, left_out, unreadable)

        return ExplainWork(files, self._explainers(), settings, card)

    def run_unsharded(self) -> Iterator[Event]:
        """Yields maps, a plot and a table; the last event is the `Result`."""
        from vitrail.attributions.explainer import explain_files
        from vitrail.attributions.explanation import ExplainedFile
        from vitrail.datasets.data_card import image_card
        from vitrail.folder_walk import LeftOut
        from vitrail.image_files import find_images
        from vitrail.interrupts import until_stopped
        from vitrail.tasks.explain_report import Report

        started = time.perf_counter()
        for name in self.method:
            ATTRIBUTIONS.check(name)
        left_out = LeftOut()
        files = find_images(self.images, left_out)
        explainers = self._explainers()
        networks = [explainer.network for explainer in explainers]
        report = Report(self.method, [network.name for network in networks])
        skipped: list[Mapping[str, str]] = []

        def maps() -> Iterator[Event]:
            for item in explain_files(explainers, files):
                if isinstance(item, Progress):
                    yield item
                elif isinstance(item, ExplainedFile):
                    yield from report.add(item)
                elif item not in skipped:  # once, whatever the number of networks
                    skipped.append(item)

        yield from until_stopped(maps(), lambda: len(report.images))
        yield from skipped_notes(skipped)
        if not report.images:
            raise BadImage(f"No image could be read; the first one: {skipped[0]['reason']}")
        yield from report.finish()
        card = image_card(self.images, len(report.images), left_out, len(skipped))
        yield report.summary(card, self.backbone[0])
        yield Result(
            {
                "backbone": [network.identity for network in networks],
                "device": networks[0].device,
                "data": card.values(),
                "skipped": skipped,
                "images": report.images,
                "seconds": {"total": time.perf_counter() - started},
            }
        )

    def _explainers(self) -> Sequence[Explainer]:
        from vitrail.attributions.explainer import Explainer
        from vitrail.image_ascent.batching import MIB
        from vitrail.transfer.classifier import open_network

        return [
            Explainer(
                open_network(name, weights=self.weights, device=self.device),
                methods=self.method,
                target=self.target,
                faithfulness=self.faithfulness,
                randomisation_test=self.randomisation_test,
                segment=self.segment,
                samples=self.samples,
                noise=self.noise,
                seed=self.seed,
                memory=self.memory * MIB,
            )
            for name in self.backbone
        ]
