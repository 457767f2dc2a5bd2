"""What `transfer` does with any of its images (features), and with all of them (a classifier)."""

from __future__ import annotations

import time
from collections.abc import Generator, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from vitrail.events import Event, Note, Result
from vitrail.image_files import display_name
from vitrail.sharding.part import Part
from vitrail.tasks.transfer_data import open_data, readable
from vitrail.tasks.transfer_fit import extractors_of, fine_tuned, linear
from vitrail.tasks.transfer_report import images, tables
from vitrail.transfer.features import shown_skips
from vitrail.transfer.joined import Joined, join

if TYPE_CHECKING:
    from vitrail.tasks.transfer import Transfer


class Transferring:
    """Networks, and images to learn from and to test on; see `Work`."""

    def __init__(self, task: Transfer) -> None:
        self._started, self._task = time.perf_counter(), task
        home = task.cache.parent / "datasets"
        self._data, self._split = open_data(task.folder, home=home, test_share=task.test_share, seed=task.seed)
        self.files = (*self._data[0].files, *self._data[1].files)
        self._extractors = extractors_of(task)
        self.depends_on = {
            "backbone": [extractor.identity() for extractor in self._extractors],
            "layers": {extractor.spec.name: extractor.layers for extractor in self._extractors},
            "flip": task.flip,
            "forward": task.forward,
        }

    def process(self, rows: slice) -> Generator[Event, None, Part]:
        """Features of some images: of every network and layer a tensor `network/layer`, (n, d) float32."""
        files = self.files[rows]
        joined = yield from join(self._extractors, files)
        first = rows.indices(len(self.files))[0]
        named = [{"index": first + int(row), "file": display_name(files[row])} for row in joined.kept]
        tensors = {
            f"{network}/{layer}": block for network, layers in joined.blocks.items() for layer, block in layers.items()
        }
        about = {"device": joined.device or self._task.device, "computed": joined.computed}
        about |= (
            {"forward": dict(joined.forward), "seconds": joined.seconds}
            if not self._task.is_sharded
            else _untimed(joined)
        )
        return Part(about, named, shown_skips(joined.skipped), tensors)

    def merge(self, parts: Iterable[Part], limit: int | None = None) -> Iterator[Event]:
        """A classifier from the features of all images, and the proof of how good it is."""
        task, joined = self._task, _joined(list(parts), time.perf_counter() - self._started)
        yield from self._split
        for reason in joined.skipped.values():
            yield Note(f"Skipped: {reason}")
        fit_started = time.perf_counter()
        data = (*readable(*self._data, joined), joined)
        outcome, weights = yield from (fine_tuned if task.head == "fine-tune" else linear)(task, *data)
        fit_seconds = time.perf_counter() - fit_started
        yield from tables(outcome)
        yield from images(outcome)
        yield from weights
        total = time.perf_counter() - self._started
        seconds = {"features": joined.seconds, "fit": fit_seconds, "total": total}
        yield Note(f"Seconds: {', '.join(f'{part} {value:.1f}' for part, value in seconds.items())}.")
        yield Result(
            {
                **outcome.figures(),
                "backbone": [extractor.identity() for extractor in self._extractors],
                "device": joined.device or task.device,
                "seconds": seconds,
                "images_per_second": len(joined.kept) / joined.seconds,
                "forward": dict(joined.forward),
                "computed": joined.computed,
                "skipped": shown_skips(joined.skipped),
            }
        )


def _untimed(joined: Joined) -> dict[str, Any]:
    """What is kept of a shard says nothing of the machine's pace: it is the same file, whoever makes it."""
    chosen = {name: {key: choice[key] for key in ("engine", "device")} for name, choice in joined.forward.items()}
    return {"forward": chosen}


def _joined(parts: list[Part], elapsed: float) -> Joined:
    """The features of all parts, as one pass over all images gives them.

    Args:
        elapsed: seconds since the task began, which count where the parts were timed by nobody.
    """
    full = [part for part in parts if part.tensors]
    blocks: dict[str, dict[str, np.ndarray]] = {}
    for name in full[0].tensors if full else ():
        network, _, layer = name.partition("/")
        rows = [part.tensors[name] for part in full]
        blocks.setdefault(network, {})[layer] = rows[0] if len(rows) == 1 else np.concatenate(rows)
    return Joined(
        blocks=blocks,
        kept=np.array([row["index"] for part in parts for row in part.rows], np.int64),
        skipped={Path(skip["file"]): skip["reason"] for part in parts for skip in part.skipped},
        computed=sum(part.about["computed"] for part in parts),
        forward={network: choice for part in parts for network, choice in part.about["forward"].items()},
        seconds=sum(part.about["seconds"] for part in parts) if "seconds" in parts[0].about else elapsed,
    )
