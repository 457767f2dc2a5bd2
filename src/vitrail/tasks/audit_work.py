"""What `audit` does with any of its images, and with what came of all of them."""

from __future__ import annotations

import random
import time
from collections.abc import Generator, Iterable, Iterator
from typing import TYPE_CHECKING

from vitrail.errors import BadImage
from vitrail.events import Event, Note, Result
from vitrail.image_files import display_name
from vitrail.sharding.part import Part
from vitrail.tasks.audit_data import labelled
from vitrail.tasks.audit_measures import audited, joined, measures
from vitrail.tasks.audit_report import report
from vitrail.transfer.classifier import open_network

if TYPE_CHECKING:
    from vitrail.tasks.audit import Audit

MATTERS = ("method", "linf", "l2", "reference", "reference_radius", "memory", "seed")


class Auditing:
    """A network and labelled images; see `Work`."""

    def __init__(self, task: Audit) -> None:
        self._started, self._task = time.perf_counter(), task
        self._network = open_network(task.backbone, weights=task.weights, device=task.device)
        files, labels, self._source = labelled(task.folder, task.labels, self._network.classes)
        if task.limit is not None and task.limit < len(files):
            rows = sorted(random.Random(task.seed).sample(range(len(files)), task.limit))
            files, labels = [files[row] for row in rows], labels and [labels[row] for row in rows]
        self.files, self._labels = files, labels
        settings = task.model_dump(mode="json", include=set(MATTERS))
        self.depends_on = {**settings, "backbone": [self._network.identity], "labels": labels}

    def process(self, rows: slice) -> Generator[Event, None, Part]:
        """What is measured of some images, (n,) each: `right`, the smallest changes, faithfulness, cost."""
        files, labels = self.files[rows], self._labels and self._labels[rows]
        kept, skipped, found = yield from measures(self._task, self._network, files, labels)
        first = rows.indices(len(self.files))[0]
        named = [{"index": first + row, "file": display_name(files[row])} for row in kept]
        return Part({"device": self._network.device}, named, skipped, found)

    def merge(self, parts: Iterable[Part], limit: int | None = None) -> Iterator[Event]:
        """Curves, contact sheets and figures of all images."""
        held = list(parts)
        skipped = [dict(skip) for part in held for skip in part.skipped]
        files = [self.files[row["index"]] for part in held for row in part.rows]
        if not files:
            raise BadImage(f"No image could be read; the first one: {skipped[0]['reason']}")
        audit = audited(self._task, files, skipped, joined([dict(part.tensors) for part in held]))
        yield Note(self._source)
        for skip in audit.skipped:
            yield Note(f"Skipped: {skip['reason']}")
        yield from report(audit)
        yield Result(
            {
                "backbone": [self._network.identity],
                "device": self._network.device,
                "skipped": audit.skipped,
                **audit.figures(),
                "seconds": {"total": time.perf_counter() - self._started},
            }
        )
