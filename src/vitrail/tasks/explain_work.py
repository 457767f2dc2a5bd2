"""What `explain` does with very many images: maps and their figures as arrays, and means of the figures."""

from __future__ import annotations

import time
from collections.abc import Generator, Iterable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from vitrail.datasets.batches import batches
from vitrail.errors import BadImage
from vitrail.events import Event, Progress, Result, Table
from vitrail.image_files import display_name, iter_images
from vitrail.path_list import PathList
from vitrail.sharding.part import Part
from vitrail.sharding.summary import ResultSummary
from vitrail.tasks.explain_maps import Explainer, View
from vitrail.transfer.classifier import open_network

if TYPE_CHECKING:
    from vitrail.tasks.explain import Explain

MATTERS = ("method", "target", "faithfulness", "check", "samples", "noise", "memory", "seed")


class Explanation:
    """Networks and the images to show them; see `Work`."""

    def __init__(self, task: Explain) -> None:
        self._started = time.perf_counter()
        self.files = PathList(iter_images(task.images))
        self._networks = [open_network(name, weights=task.weights, device=task.device) for name in task.backbone]
        self._explainers = [Explainer(task, network) for network in self._networks]
        settings = task.model_dump(mode="json", include=set(MATTERS))
        self.depends_on = {**settings, "backbone": [network.identity for network in self._networks]}

    def process(self, rows: slice) -> Generator[Event, None, Part]:
        """Maps of some images: of every network and method a tensor `network/method`, (n, S, S) float32."""
        files = self.files[rows]
        first = rows.indices(len(self.files))[0]
        found: dict[int, dict[str, Any]] = {}
        skipped: dict[str, dict[str, str]] = {}
        maps: dict[str, list[np.ndarray]] = {}
        for explainer in self._explainers:
            done = 0
            for batch in batches(files, explainer.network.reference.preprocessing):
                for row, view in zip(batch.rows, explainer.run(batch.pixels), strict=True):
                    entry = {"index": first + row, "file": display_name(files[row]), "maps": []}
                    found.setdefault(row, entry)["maps"] += _figures(view)
                    for method, values in view.maps.items():
                        maps.setdefault(f"{view.network}/{method}", []).append(values.astype(np.float32))
                skipped |= {skip["file"]: skip for skip in batch.skipped}
                done += len(batch.files) + len(batch.skipped)
                yield Progress("maps", done, len(files), detail=explainer.network.name)
        tensors = {name: np.stack(values) for name, values in maps.items()}
        return Part({"device": self._networks[0].device}, list(found.values()), list(skipped.values()), tensors)

    def merge(self, parts: Iterable[Part], limit: int | None = None) -> Iterator[Event]:
        """Means of the figures over all images."""
        named, sums = ResultSummary(limit), dict[tuple[str, str], dict[str, list[float]]]()
        for part in parts:
            named.add(part)
            for row in part.rows:
                for each in row["maps"]:
                    figures = sums.setdefault((each["backbone"], each["method"]), {})
                    for name in each.keys() - {"backbone", "method", "target"}:
                        figures.setdefault(name, []).append(each[name])
        if not named.count:
            raise BadImage(f"No image could be read; the first one: {named.skipped[0]['reason']}")
        means = [
            {
                "backbone": network,
                "method": method,
                **{name: float(np.mean(of)) for name, of in sorted(figures.items())},
            }
            for (network, method), figures in sums.items()
        ]
        columns = list(dict.fromkeys(name for each in means for name in each))
        table = [[each.get(column) for column in columns] for each in means]
        yield Table("means", f"Means over {named.count} images", columns, table)
        yield from named.notes()
        yield Result(
            {
                "backbone": self.depends_on["backbone"],
                "device": self._networks[0].device,
                "skipped": named.skipped,
                "images": named.rows,
                "n": named.count,
                "means": means,
                "seconds": {"total": time.perf_counter() - self._started},
            }
        )


def _figures(view: View) -> list[dict[str, Any]]:
    """An entry for each method, as `result.json` has it."""
    return [
        {"backbone": view.network, "method": method, "target": view.target, **view.figures[method]}
        for method in view.maps
    ]
