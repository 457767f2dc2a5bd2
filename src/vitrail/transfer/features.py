"""Pictures in, the features of a network's layers out: each computed once, then kept in the cache."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Generator, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from vitrail.backbones.recipe import Recipe
from vitrail.devices import processors
from vitrail.errors import BadPicture
from vitrail.events import Note, Progress
from vitrail.image_files import display_name, read_bytes
from vitrail.transfer.cache import FeatureCache
from vitrail.transfer.store import FeatureStore

CHUNK = 512  # pictures that are hashed, decoded and kept together: what a killed run can lose
BATCH = 32


@dataclass(frozen=True)
class Extraction:
    """What came out of one network.

    Attributes:
        features: layer -> (n, d) float32, rows in the order of `files`.
        kept: (n,) int64, which of the files asked for could be read.
        skipped: file -> why it could not.
        computed: how many pictures went through the network (the others were in the cache).
        forward: which forward pass was taken and why; None when none was needed.
        seconds: wall time, reading and decoding included.
    """

    features: Mapping[str, np.ndarray] = field(repr=False)
    kept: np.ndarray = field(repr=False)
    skipped: Mapping[Path, str]
    computed: int
    forward: Mapping[str, Any] | None
    seconds: float


def extract(
    recipe: Recipe,
    files: Sequence[Path],
    layers: Sequence[str],
    *,
    weights: Path | None = None,
    mirrored: bool = False,
    cache: Path | None = None,
    engine: str = "auto",
    device: str = "auto",
) -> Generator[Progress | Note, None, Extraction]:
    """The pooled output of several layers for every picture, from one forward pass each.

    A generator: it yields progress and returns the `Extraction` (`extraction = yield from extract(...)`).

    Args:
        mirrored: left and right exchanged.
        cache: folder of the feature cache; None computes everything anew and keeps nothing.
        engine: the forward pass to take ("auto" probes; see `vitrail.backbones.fast_path`).
    Raises:
        UnknownName: the network has no such layer.
        MissingWeights, BadWeights: the network's weights cannot be had.
    """
    started = time.perf_counter()
    work = _Work(recipe, tuple(layers), weights, mirrored, cache, engine, device, len(files))
    digests: list[bytes] = []
    kept: list[int] = []
    skipped: dict[Path, str] = {}
    with ThreadPoolExecutor(processors()) as pool:
        for start in range(0, len(files), CHUNK):
            chunk = files[start : start + CHUNK]
            read = dict(zip(chunk, pool.map(_digest, chunk), strict=True))
            bad = yield from work.compute(read, pool, done=start, total=len(files))
            for index, file in enumerate(chunk, start):
                digest = read[file]
                reason = digest if isinstance(digest, str) else bad.get(digest)
                if reason is not None:
                    skipped[file] = reason
                elif isinstance(digest, bytes):
                    digests.append(digest)
                    kept.append(index)
    return Extraction(
        features={layer: work.stores[layer].read(digests) for layer in layers} if digests else {},
        kept=np.array(kept, np.int64),
        skipped=skipped,
        computed=work.computed,
        forward=work.choice,
        seconds=time.perf_counter() - started,
    )


def _digest(file: Path) -> bytes | str:
    """The sha256 of a file, or the sentence that says why it cannot be read."""
    try:
        return hashlib.sha256(read_bytes(file)).digest()
    except BadPicture as error:
        return str(error)


class _Work:
    """One network, built when the first picture needs it, and the stores of its layers."""

    def __init__(
        self,
        recipe: Recipe,
        layers: tuple[str, ...],
        weights: Path | None,
        mirrored: bool,
        cache: Path | None,
        engine: str,
        device: str,
        total: int,
    ) -> None: ...
