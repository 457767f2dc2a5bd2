"""Predictions for any slice of the images, and the result for all of them: the work of `predict`."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from vitrail.backbones.sources import file_sha256
from vitrail.datasets.data_card import DataCard, image_card
from vitrail.events import Event, Result, Summary, Table
from vitrail.folder_walk import LeftOut
from vitrail.image_files import iter_images, none_readable
from vitrail.path_list import PathList
from vitrail.sharding.part import Part
from vitrail.sharding.summary import ResultSummary
from vitrail.transfer.classifier import read_classifier
from vitrail.transfer.features import Extractor
from vitrail.transfer.multi_network import extract_all
from vitrail.transfer.predictions import top_classes
from vitrail.transfer.scaling import scale

ReportEvents = Callable[[Sequence[Path], Sequence[Mapping[str, Any]], DataCard], Iterator[Event]]


class PredictWork:
    """A classifier, and the images to classify; see `Work`.

    Args:
        classifier: run folder of `transfer`.
        images: files, folders, patterns, tar files or tables.
        top_k: number of classes of each image.
        cache: folder of the feature cache; None: no cache.
        deterministic: whether each image's result may not depend on the process that computes it, as in shards.
        report: events from the images' files, their entries in `result.json`, and the data card.
    """

    def __init__(
        self,
        classifier: Path,
        images: Sequence[Path],
        *,
        top_k: int,
        device: str,
        cache: Path | None,
        deterministic: bool,
        report: ReportEvents,
    ) -> None:
        self._started, self._top_k, self._device, self._report = time.perf_counter(), top_k, device, report
        self._classifier = read_classifier(classifier)
        self._images, self._left_out = images, LeftOut()
        self.files = PathList(iter_images(images, self._left_out))
        self._extractors = [
            Extractor(
                member.spec,
                member.layers,
                weights=member.weights,
                flip=self._classifier.flip,
                cache=cache,
                device=device,
                deterministic=deterministic,
            )
            for member in self._classifier.members
        ]
        self.depends_on = {
            "classifier_sha256": file_sha256(classifier / "weights" / "head.safetensors"),
            "backbone": [extractor.identity() for extractor in self._extractors],
            "top_k": top_k,
        }

    def process(self, rows: slice) -> Generator[Event, None, Part]:
        """The most probable classes of some images."""
        files = self.files[rows]
        features = yield from extract_all(self._extractors, files)
        images: list[dict[str, Any]] = []
        if len(features.rows):
            blocks = [block for layers in features.blocks.values() for block in layers.values()]
            probabilities = self._classifier.head.probabilities(scale(blocks, self._classifier.scaling))
            readable = [files[index] for index in features.rows]
            images = top_classes(readable, probabilities, self._classifier.classes, self._top_k)
        start = rows.indices(len(self.files))[0]
        numbered = [{"index": start + int(row), **image} for row, image in zip(features.rows, images, strict=True)]
        return Part({"device": features.device or self._device}, numbered, features.skipped)

    def merge(self, parts: Iterable[Part], limit: int | None = None) -> Iterator[Event]:
        """The predictions; of very many images, the number of images of each class."""
        named, counts, device = ResultSummary(limit), Counter[str](), self._device
        for part in parts:
            named.add(part)
            counts.update(row["top"][0]["name"] for row in part.rows)
            device = part.about["device"]
        if not named.count:
            raise none_readable(named.skipped)
        yield from named.notes()
        card = image_card(self._images, named.count, self._left_out, named.left_out)
        if limit is None:
            files = [self.files[row["index"]] for row in named.rows]
            yield from self._report(files, named.rows, card)
        else:
            yield Table("counts", "Images of each predicted class", ("class", "images"), counts.most_common())
            yield Summary([("images", card.line()), ("classes", str(len(counts)))])
        yield Result(
            {
                "backbone": self.depends_on["backbone"],
                "device": device,
                "data": card.values(),
                "skipped": named.skipped,
                "images": named.rows,
                "n": named.count,
                "seconds": {"total": time.perf_counter() - self._started},
            }
        )
