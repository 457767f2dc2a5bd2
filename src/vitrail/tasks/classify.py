"""Classification of images with a pretrained network."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from vitrail.backbones import BACKBONES, DEFAULT_BACKBONE
from vitrail.events import Event, Result, skipped_notes
from vitrail.formatting import command
from vitrail.settings import DATA, NETWORK, OUTPUT, device_setting, setting, weights_setting
from vitrail.task import Task

if TYPE_CHECKING:
    from vitrail.backbones.spec import BackboneSpec

TOP_K = 5


class Classify(Task):
    """Classify images with a pretrained network."""

    images: tuple[Path, ...] = setting(
        ...,
        "Images, folders, tar files, tables with a column `file`, or patterns",
        panel=DATA,
        positional=True,
        place="images",
    )
    backbone: str = setting(
        DEFAULT_BACKBONE, "Pretrained network, by name; see `vitrail list backbones`", panel=NETWORK
    )
    top_k: int | None = setting(
        None, "Number of classes listed for each image; default: 5, of several images 1", panel=OUTPUT, ge=1
    )
    weights: Path | None = weights_setting()
    device: str = device_setting()

    def run(self) -> Iterator[Event]:
        """Yields a table and a plot; the last event is the `Result`, with the five most probable classes or `top_k`."""
        from scipy.special import softmax

        from vitrail.backbones.imagenet import imagenet_classes
        from vitrail.datasets.data_card import image_card
        from vitrail.folder_walk import LeftOut
        from vitrail.image_files import find_images, none_readable
        from vitrail.tasks.predict_report import report
        from vitrail.transfer.features import Extractor
        from vitrail.transfer.predictions import top_classes

        started = time.perf_counter()
        spec: BackboneSpec = BACKBONES[self.backbone]
        left_out = LeftOut()
        files = find_images(self.images, left_out)
        extractor = Extractor(spec, ("logits",), self.weights, device=self.device)
        extraction = yield from extractor.run(files)
        if not len(extraction.rows):
            raise none_readable(extraction.skipped)
        yield from skipped_notes(extraction.skipped)
        readable = [files[index] for index in extraction.rows]
        names = imagenet_classes() if spec.classes is None else spec.classes
        probabilities = softmax(extraction.features["logits"].astype(float), axis=1)
        images = top_classes(readable, probabilities, names, self.top_k or TOP_K)
        listed = self.top_k or (TOP_K if len(images) == 1 else 1)
        steps = [command(each, images[0]["file"], "--backbone", self.backbone) for each in ("explain", "attack")]
        card = image_card(self.images, len(readable), left_out, len(extraction.skipped))
        yield from report(readable, images, listed, card, steps)
        yield Result(
            {
                "backbone": [extractor.identity()],
                "device": (extraction.engine or {}).get("device", self.device),
                "data": card.values(),
                "skipped": list(extraction.skipped),
                "images": images,
                "seconds": {"total": time.perf_counter() - started},
            }
        )
