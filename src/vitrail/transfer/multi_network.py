"""Features of several networks for the same images, in the rows that all of them could read."""

from __future__ import annotations

import time
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from vitrail.events import Note, Progress
from vitrail.transfer.features import Extractor, common_rows

Blocks = Mapping[str, Mapping[str, np.ndarray]]
"""backbone -> layer -> (n, d) float32"""


@dataclass(frozen=True)
class MultiNetworkFeatures:
    """Features of several networks.

    Attributes:
        blocks: backbone -> layer -> (n, d) float32, one row for each of `rows`.
        rows: (n,) int64, positions of the files that every network could read.
        skipped: the other files: `file`, `kind` and `reason` of each.
        computed: number of images that went through a network, summed over networks; the others were in the cache.
        engines: backbone -> inference engine, device and reason; without networks that were not needed.
        seconds: wall time.
        contents: (n,) uint64, the first 64 bits of each file's sha256.
    """

    blocks: Blocks = field(repr=False)
    rows: np.ndarray = field(repr=False)
    skipped: Sequence[Mapping[str, str]]
    computed: int
    engines: Mapping[str, Any]
    seconds: float
    contents: np.ndarray = field(repr=False)

    @property
    def device(self) -> str | None:
        """Device of the forward passes; None if none was needed."""
        return next((str(engine["device"]) for engine in self.engines.values()), None)

    def select(self, rows: slice) -> Blocks:
        """The features of some rows."""
        return {name: {layer: block[rows] for layer, block in layers.items()} for name, layers in self.blocks.items()}

    def take(self, places: np.ndarray) -> MultiNetworkFeatures:
        """The features of the rows at `places` (m,)."""
        blocks = {name: {layer: block[places] for layer, block in each.items()} for name, each in self.blocks.items()}
        return replace(self, blocks=blocks, rows=self.rows[places], contents=self.contents[places])


def extract_all(
    extractors: Sequence[Extractor], files: Sequence[Path]
) -> Generator[Progress | Note, None, MultiNetworkFeatures]:
    """Runs every extractor over all files; yields progress and returns the features.

    Raises:
        UnknownName, MissingWeights, BadWeights: as `Extractor.run`.
    """
    started = time.perf_counter()
    extractions = []
    for extractor in extractors:
        extractions.append((yield from extractor.run(files)))
    extractions = common_rows(extractions)
    named = dict(zip([extractor.spec.name for extractor in extractors], extractions, strict=True))
    return MultiNetworkFeatures(
        blocks={name: extraction.features for name, extraction in named.items()},
        rows=extractions[0].rows,
        skipped=list({skip["file"]: skip for extraction in extractions for skip in extraction.skipped}.values()),
        computed=sum(extraction.computed for extraction in extractions),
        engines={name: dict(extraction.engine) for name, extraction in named.items() if extraction.engine},
        seconds=time.perf_counter() - started,
        contents=extractions[0].contents,
    )
