"""What `predict` does with any of its images, and with what came of all of them."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Generator, Iterable, Iterator
from typing import TYPE_CHECKING, Any

from vitrail.backbones.sources import file_sha256
from vitrail.errors import BadImage
from vitrail.events import Event, Result, Table
from vitrail.image_files import iter_images
from vitrail.path_list import PathList
from vitrail.sharding.part import Part
from vitrail.sharding.summary import ResultSummary
from vitrail.tasks.answers import answers, shown
from vitrail.transfer.classifier import read_classifier
from vitrail.transfer.features import Extractor, shown_skips
from vitrail.transfer.joined import join
from vitrail.transfer.scaling import scale

if TYPE_CHECKING:
    from vitrail.tasks.predict import Predict


class Prediction:
    """A classifier and the images to show it; see `Work`."""

    def __init__(self, task: Predict) -> None:
        self._started = time.perf_counter()
        self._task, self._kept = task, read_classifier(task.classifier)
        self.files = PathList(iter_images(task.images))
        self._extractors = [
            Extractor(
                member.spec,
                member.layers,
                weights=member.weights,
                flip=self._kept.about["flip"],
                cache=task.cache if task.use_cache and not task.is_sharded else None,
                device=task.device,
                steady=task.is_sharded,
            )
            for member in self._kept.members
        ]
        self.depends_on = {
            "classifier_sha256": file_sha256(task.classifier / "weights" / "head.safetensors"),
            "backbone": [extractor.identity() for extractor in self._extractors],
            "top": task.top,
        }

    def process(self, rows: slice) -> Generator[Event, None, Part]:
        """The likeliest classes of some images."""
        files = self.files[rows]
        joined = yield from join(self._extractors, files)
        found: list[dict[str, Any]] = []
        if len(joined.kept):
            blocks = [block for layers in joined.blocks.values() for block in layers.values()]
            odds = self._kept.head.probabilities(scale(blocks, self._kept.about["scaling"]))
            read = [files[index] for index in joined.kept]
            found = answers(read, odds, self._kept.about["classes"], self._task.top)
        start = rows.indices(len(self.files))[0]
        numbered = [{"index": start + int(index), **row} for index, row in zip(joined.kept, found, strict=True)]
        return Part({"device": joined.device or self._task.device}, numbered, shown_skips(joined.skipped))

    def merge(self, parts: Iterable[Part], limit: int | None = None) -> Iterator[Event]:
        """The answers, or how often each class was the likeliest."""
        named, counts, device = ResultSummary(limit), Counter[str](), self._task.device
        for part in parts:
            named.add(part)
            counts.update(row["top"][0]["name"] for row in part.rows)
            device = part.about["device"]
        if not named.count:
            raise BadImage(f"No image could be read; the first one: {named.skipped[0]['reason']}")
        if limit is None:
            yield from shown([self.files[row["index"]] for row in named.rows], named.rows)
        else:
            yield Table("counts", "The likeliest class of each image", ("class", "images"), counts.most_common())
        yield from named.notes()
        yield Result(
            {
                "backbone": self.depends_on["backbone"],
                "device": device,
                "skipped": named.skipped,
                "images": named.rows,
                "n": named.count,
                "seconds": {"total": time.perf_counter() - self._started},
            }
        )
