"""Features of several networks side by side, for the images that all of them could read."""

from __future__ import annotations

import time
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from vitrail.events import Note, Progress
from vitrail.transfer.features import Extractor, readable_by_all

Blocks = Mapping[str, Mapping[str, np.ndarray]]


@dataclass(frozen=True)
class Joined:
    """What came out of several networks.

    Attributes:
        blocks: backbone -> layer -> (n, d) float32, one row for each of `kept`.
        kept: (n,) int64, which of the files asked for could be read.
        skipped: file -> why it could not.
        computed: forward passes of single images, over all networks.
        forward: backbone -> which forward pass was taken and why; without those that needed none.
        seconds: wall time.
    """

    blocks: Blocks = field(repr=False)
    kept: np.ndarray = field(repr=False)
    skipped: Mapping[Path, str]
    computed: int
    forward: Mapping[str, Any]
    seconds: float

    @property
    def device(self) -> str | None:
        """Where the forward passes ran; None if none was needed."""
        return next((str(choice["device"]) for choice in self.forward.values()), None)


def join(extractors: Sequence[Extractor], files: Sequence[Path]) -> Generator[Progress | Note, None, Joined]:
    """Runs every extractor over all files; yields their progress and returns what came out.

    Raises:
        UnknownName, MissingWeights, BadWeights: as `Extractor.run`.
    """
    started = time.perf_counter()
    extractions = []
    for extractor in extractors:
        extractions.append((yield from extractor.run(files)))
    extractions = readable_by_all(extractions)
    named = dict(zip([extractor.spec.name for extractor in extractors], extractions, strict=True))
    return Joined(
        blocks={name: extraction.features for name, extraction in named.items()},
        kept=extractions[0].kept,
        skipped={file: why for extraction in extractions for file, why in extraction.skipped.items()},
        computed=sum(extraction.computed for extraction in extractions),
        forward={name: dict(extraction.forward) for name, extraction in named.items() if extraction.forward},
        seconds=time.perf_counter() - started,
    )
