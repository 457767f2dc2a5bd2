"""Measurements of any slice of the images, and those of all of them: the work of `audit`."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from vitrail.audit.measurements import AuditedBatch, Auditor, Measurements, concatenate
from vitrail.datasets.data_card import image_card
from vitrail.datasets.network_labels import NetworkLabels
from vitrail.events import Event, Progress, Result, skipped_notes
from vitrail.image_files import display_name, none_readable
from vitrail.interrupts import until_stopped
from vitrail.sharding.part import Part


class AuditWork:
    """An auditor and the images; see `Work`.

    Args:
        images: the images, and their labels if known.
        max_images: number of images drawn at most; None: all.
        seed: of the draw.
        settings: those that the measurements depend on, as JSON values.
        interruptible: whether Ctrl-C ends it with the images measured so far; a shard is whole or nothing.
        report: events from the result; takes the files, their labels' source, and the data card.
    """

    def __init__(
        self,
        auditor: Auditor,
        images: NetworkLabels,
        *,
        source: Path,
        max_images: int | None,
        seed: int,
        settings: Mapping[str, Any],
        interruptible: bool,
        report: Callable[..., Iterator[Event]],
    ) -> None:
        self._started, self._auditor, self._images = time.perf_counter(), auditor, images
        self._source, self._interruptible, self._report = source, interruptible, report
        files, labels = list(images.files), images.labels
        if max_images is not None and max_images < len(files):
            rows = sorted(random.Random(seed).sample(range(len(files)), max_images))
            files, labels = [files[row] for row in rows], labels and [labels[row] for row in rows]
        self.files, self._labels = files, labels
        self._identity = auditor.network.identity
        self.depends_on = {**settings, "backbone": [self._identity], "labels": labels}

    def process(self, rows: slice) -> Generator[Event, None, Part]:
        """Measurements of some images, (n,) each: `correct`, `linf`, `l2`, faithfulness, `passes`."""
        files, labels = self.files[rows], self._labels and self._labels[rows]
        network = self._auditor.network
        measured: list[int] = []
        skipped: list[dict[str, str]] = []
        parts: list[Measurements] = []

        def measure() -> Iterator[Event]:
            yield Progress("audit", 0, len(files), detail=network.name)
            for item in self._auditor.run(files, labels):
                if isinstance(item, AuditedBatch):
                    measured.extend(item.rows)
                    parts.append(item.measurements)
                else:
                    skipped.append(dict(item))
                yield Progress("audit", len(measured) + len(skipped), len(files), detail=network.name)

        yield from until_stopped(measure(), lambda: len(measured)) if self._interruptible else measure()
        first = rows.indices(len(self.files))[0]
        named = [{"index": first + row, "file": display_name(files[row])} for row in measured]
        return Part({"device": network.device}, named, skipped, concatenate(parts))

    def merge(self, parts: Iterable[Part], limit: int | None = None) -> Iterator[Event]:
        """Curves, contact sheets and metrics of all images."""
        whole = list(parts)
        skipped = [dict(skip) for part in whole for skip in part.skipped]
        files = [self.files[row["index"]] for part in whole for row in part.rows]
        if not files:
            raise none_readable(skipped)
        audit = self._auditor.result([dict(part.tensors) for part in whole], labelled=self._labels is not None)
        yield from skipped_notes(skipped)
        card = image_card([self._source], len(files), self._images.left_out, len(skipped))
        yield from self._report(audit, files, self._images, card)
        yield Result(
            {
                "backbone": [self._identity],
                "device": self._auditor.network.device,
                "data": card.values(),
                "skipped": skipped,
                "labels": self._images.source,
                **audit.values(),
                "seconds": {"total": time.perf_counter() - self._started},
            }
        )
