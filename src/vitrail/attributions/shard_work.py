"""What `explain` does with very many images: maps and metrics as arrays, and means of the metrics."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from vitrail.attributions.explainer import Explainer, explain_files
from vitrail.attributions.explanation import ExplainedFile
from vitrail.attributions.verdict import describe_verdicts
from vitrail.datasets.data_card import DataCard
from vitrail.errors import BadImage
from vitrail.events import Event, Progress, Result, Summary, Table
from vitrail.formatting import number
from vitrail.image_files import display_name
from vitrail.sharding.part import Part
from vitrail.sharding.summary import ResultSummary

SUMMARY_METHODS = 10
NOT_METRICS = {"backbone", "method", "target", "verdict"}


class ExplainWork:
    """Networks and the images to explain; see `Work`.

    Args:
        settings: those that the maps depend on, as JSON values.
        card: the data card, from the number of images explained and of those that could not be read.
    """

    def __init__(
        self,
        files: Sequence[Path],
        explainers: Sequence[Explainer],
        settings: Mapping[str, Any],
        card: Callable[[int, int], DataCard],
    ) -> None:
        self._card = card
        self._started = time.perf_counter()
        self.files, self._explainers = files, explainers
        self._networks = [explainer.network for explainer in explainers]
        self.depends_on = {**settings, "backbone": [network.identity for network in self._networks]}

    def process(self, rows: slice) -> Generator[Event, None, Part]:
        """Maps of some images: one tensor per network and method, `network/method`, (n, S, S) float32."""
        files = self.files[rows]
        first = rows.indices(len(self.files))[0]
        entries: dict[int, dict[str, Any]] = {}
        skipped: dict[str, dict[str, str]] = {}
        maps: dict[str, list[np.ndarray]] = {}
        for item in explain_files(self._explainers, files):
            if isinstance(item, Progress):
                yield item
            elif isinstance(item, ExplainedFile):
                entry = {"index": first + item.row, "file": display_name(item.file), "maps": []}
                network, target = item.image.network, item.image.class_entry()
                for explanation in item.image.explanations:
                    values = {"backbone": network, "target": target, **explanation.entry()}
                    entries.setdefault(item.row, entry)["maps"].append(values)
                    maps.setdefault(f"{network}/{explanation.method}", []).append(explanation.map.astype(np.float32))
            else:
                skipped[item["file"]] = dict(item)
        tensors = {name: np.stack(values) for name, values in maps.items()}
        return Part({"device": self._networks[0].device}, list(entries.values()), list(skipped.values()), tensors)

    def merge(self, parts: Iterable[Part], limit: int | None = None) -> Iterator[Event]:
        """Means of the metrics over all images, and how many maps are better than chance."""
        named = ResultSummary(limit)
        values: dict[tuple[str, str], dict[str, list[float]]] = {}
        verdicts: dict[tuple[str, str], Counter[str]] = {}
        for part in parts:
            named.add(part)
            for row in part.rows:
                for each in row["maps"]:
                    key = each["backbone"], each["method"]
                    own = values.setdefault(key, {})
                    for name in each.keys() - NOT_METRICS:
                        own.setdefault(name, []).append(each[name])
                    verdicts.setdefault(key, Counter()).update([each["verdict"]] if "verdict" in each else [])
        if not named.count:
            raise BadImage(f"No image could be read; the first one: {named.skipped[0]['reason']}")
        means = [
            {
                "backbone": key[0],
                "method": key[1],
                **{name: float(np.mean(of)) for name, of in sorted(own.items())},
                **({"verdicts": dict(verdicts[key])} if verdicts[key] else {}),
            }
            for key, own in values.items()
        ]
        columns = [name for name in dict.fromkeys(name for each in means for name in each) if name != "verdicts"]
        table = [[each.get(column) for column in columns] for each in means]
        yield Table("means", f"Means over {named.count} images", columns, table, prominent=False)
        yield from named.notes()
        yield Summary(self._summary(named, means))
        yield Result(
            {
                "backbone": self.depends_on["backbone"],
                "device": self._networks[0].device,
                "data": self._card(named.count, named.left_out).values(),
                "skipped": named.skipped,
                "images": named.rows,
                "n": named.count,
                "means": means,
                "seconds": {"total": time.perf_counter() - self._started},
            }
        )

    def _summary(self, named: ResultSummary, means: Sequence[Mapping[str, Any]]) -> list[tuple[str, str]]:
        """How many images, and how each method did."""
        lines = [("images", self._card(named.count, named.left_out).line())]
        for each in means[:SUMMARY_METHODS]:
            label = f"{each['backbone']}: {each['method']}" if len(self._networks) > 1 else str(each["method"])
            if "verdicts" in each:
                areas = f"deletion {number(each['deletion_auc'])}, insertion {number(each['insertion_auc'])}"
                lines.append((label, f"{describe_verdicts(each['verdicts'])} ({areas} on average)"))
        return lines
