"""Images in, the features of a network's layers out: each computed once, then kept in the cache."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Generator, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field, replace
from functools import reduce
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from vitrail.backbones.spec import BackboneSpec
from vitrail.devices import choose_device, cpu_count
from vitrail.errors import BadImage
from vitrail.events import Note, Progress
from vitrail.image_files import display_name, read_bytes
from vitrail.transfer.cache import FeatureCache
from vitrail.transfer.store import FeatureStore

if TYPE_CHECKING:
    from vitrail.backbones.backbone import Backbone
    from vitrail.backbones.inference_engine import InferenceEngine

CHUNK = 512  # images that are hashed, decoded and kept together: what a killed run can lose
BATCH = 4  # on a processor: larger batches fall out of its caches, and take up to twice as long an image
BATCH_ELSEWHERE = 64


@dataclass(frozen=True)
class Extraction:
    """What came out of one network.

    Attributes:
        features: layer -> (n, d) float32, one row for each of `kept`.
        kept: (n,) int64, which of the files asked for could be read.
        skipped: file -> why it could not.
        computed: how many images went through the network (the others were in the cache).
        forward: which forward pass was taken, on which device and why; None when none was needed.
        seconds: wall time, reading and decoding included.
    """

    features: Mapping[str, np.ndarray] = field(repr=False)
    kept: np.ndarray = field(repr=False)
    skipped: Mapping[Path, str]
    computed: int
    forward: Mapping[str, Any] | None
    seconds: float

    def only(self, kept: np.ndarray) -> Extraction:
        """What came out for the files `kept` (m,), each of which must be among `self.kept`."""
        if np.array_equal(kept, self.kept):
            return self
        rows = np.searchsorted(self.kept, kept)
        return replace(self, kept=kept, features={layer: block[rows] for layer, block in self.features.items()})


@dataclass
class Extractor:
    """One network over many images, several layers from one forward pass each.

    Args:
        weights: file to read instead of the recipe's own.
        flip: average the features of an image with those of its mirror image.
        cache: folder of the feature cache; None computes everything anew and keeps nothing.
        engine: the forward pass ("auto" probes; see `vitrail.backbones.inference_engine`).
        backbone: the network, if it is made already; its features are not kept, as no file tells its weights apart.
        steady: for images that are done in parts: one forward pass for all of them, and "auto" takes the same one
            everywhere, by no clock, so that an image's features do not depend on who did it.
    """

    spec: BackboneSpec
    layers: tuple[str, ...]
    weights: Path | None = None
    flip: bool = False
    cache: Path | None = None
    engine: str = "auto"
    device: str = "auto"
    backbone: Backbone | None = None
    steady: bool = False
    _forward: InferenceEngine | None = field(default=None, init=False, repr=False)

    def identity(self) -> dict[str, str | None]:
        """Which network with which weights, as `result.json` names it."""
        return {"name": self.spec.name, "sha256": self.spec.weights_sha256(self.weights)}

    def run(self, files: Sequence[Path]) -> Generator[Progress | Note, None, Extraction]:
        """Yields progress and returns the `Extraction`: `extraction = yield from extractor.run(files)`.

        Raises:
            UnknownName: the network has no such layer.
            MissingWeights, BadWeights: the network's weights cannot be had.
        """
        if not self.steady:
            self._forward = None
        plain = yield from self._pass(files, mirrored=False)
        if not self.flip:
            return plain
        mirrored = yield from self._pass(files, mirrored=True)
        return _averaged(plain, mirrored)

    def _pass(self, files: Sequence[Path], *, mirrored: bool) -> Generator[Progress | Note, None, Extraction]:
        started = time.perf_counter()
        self._mirrored = mirrored
        self._name = f"{self.spec.name}, mirrored" if mirrored else self.spec.name
        self._stores = {layer: self._store(layer) for layer in self.layers}
        self._computed, self._total = 0, len(files)
        digests: dict[int, bytes] = {}
        skipped: dict[Path, str] = {}
        with ThreadPoolExecutor(cpu_count()) as pool:
            for start in range(0, len(files), CHUNK):
                chunk = files[start : start + CHUNK]
                outcome = yield from self._chunk(chunk, pool, start)
                for index, (file, digest) in enumerate(zip(chunk, outcome, strict=True), start):
                    if isinstance(digest, bytes):
                        digests[index] = digest
                    else:
                        skipped[file] = digest
        rows = list(digests.values())
        return Extraction(
            features={layer: self._stores[layer].read(rows) for layer in self.layers} if rows else {},
            kept=np.array(list(digests), np.int64),
            skipped=skipped,
            computed=self._computed,
            forward=self._forward.choice if self._forward else None,
            seconds=time.perf_counter() - started,
        )

    def _store(self, layer: str) -> FeatureStore:
        if self.cache is None or self.backbone is not None:
            return FeatureStore(None)
        description = {
            "backbone": self.spec.name,
            "weights": self.spec.weights_sha256(self.weights),
            "layer": layer,
            "preparation": asdict(self.spec.preprocessing),
            "mirrored": self._mirrored,
            "precision": "float32",
        }
        return FeatureStore(FeatureCache(self.cache, description))

    def _chunk(
        self, files: Sequence[Path], pool: ThreadPoolExecutor, start: int
    ) -> Generator[Progress | Note, None, list[bytes | str]]:
        """The digest of each file, its features now being held; or the sentence that says why there are none."""
        outcome = list(pool.map(_digest, files))
        todo = self._missing({digest: file for file, digest in zip(files, outcome, strict=True)})
        bad: dict[bytes, str] = {}
        new: dict[bytes, list[np.ndarray]] = {}
        size = self._batch_size() if todo else 0
        for batch in _batches(pool.map(self._decode, todo.values()), list(todo), bad, size=size):
            rows = self._rows(np.stack(list(batch.values())))
            new.update(zip(batch, zip(*rows, strict=True), strict=True))  # type: ignore[arg-type]
            self._computed += len(batch)
            yield Progress("features", start + len(new), self._total, detail=self._name)
        for problem in self._keep(new):
            yield Note(f"{problem} Going on without the cache.")
        yield Progress("features", start + len(files), self._total, detail=self._name)
        return [
            _said_of(file, bad[digest], todo[digest]) if isinstance(digest, bytes) and digest in bad else digest
            for file, digest in zip(files, outcome, strict=True)
        ]

    def _missing(self, files: Mapping[bytes | str, Path]) -> dict[bytes, Path]:
        """The images, each content once, of which a layer's row is not held."""
        known = [digest for digest in files if isinstance(digest, bytes)]
        held = [store.holds(known) for store in self._stores.values()]
        return {digest: files[digest] for digest, there in zip(known, np.all(held, axis=0), strict=True) if not there}

    def _decode(self, file: Path) -> np.ndarray | str:
        from vitrail.images import read_pixels

        wish = self.spec.preprocessing
        try:
            pixels = read_pixels(file, short_side=wish.short_side, crop=wish.size, interpolation=wish.interpolation)
        except BadImage as error:
            return str(error)
        array: np.ndarray = pixels.numpy()
        return np.ascontiguousarray(array[..., ::-1]) if self._mirrored else array

    def _rows(self, pixels: np.ndarray) -> list[np.ndarray]:
        if self._forward is None:
            from vitrail.backbones.inference_engine import PooledFeatures, choose_engine, default_engine

            size = self._batch_size() if self.steady else min(self._batch_size(), self._total)
            example = np.concatenate([pixels] * -(-size // len(pixels)))[:size]
            self._forward = choose_engine(
                PooledFeatures(self.backbone or self.spec(self.weights), self.layers),
                example,
                engine=default_engine() if self.steady and self.engine == "auto" else self.engine,
                device=choose_device(self.device),
                images=self._total,
            )
        return self._forward(pixels)

    def _batch_size(self) -> int:
        return BATCH if choose_device(self.device) == "cpu" else BATCH_ELSEWHERE

    def _keep(self, new: Mapping[bytes, Sequence[np.ndarray]]) -> Iterator[str]:
        """Stores the rows of images just done; what could not be written, as sentences."""
        if not new:
            return
        problems = [
            store.add(list(new), np.stack([rows[index] for rows in new.values()]))
            for index, store in enumerate(self._stores.values())
        ]
        yield from (problem for problem in problems[:1] if problem)


def _said_of(file: Path, sentence: str, other: Path) -> str:
    """What is wrong with `file`, whose content is that of the `other`, which alone was decoded."""
    return sentence.replace(display_name(other), display_name(file), 1)


def _averaged(plain: Extraction, mirrored: Extraction) -> Extraction:
    """The mean of an image's features and those of its mirror image."""
    plain, mirrored = readable_by_all([plain, mirrored])
    return replace(
        plain,
        features={layer: (rows + mirrored.features[layer]) / 2 for layer, rows in plain.features.items()},
        computed=plain.computed + mirrored.computed,
        forward=plain.forward or mirrored.forward,
        seconds=plain.seconds + mirrored.seconds,
    )


def readable_by_all(extractions: Sequence[Extraction]) -> list[Extraction]:
    """The same extractions, left with the files that all of them could read."""
    kept = reduce(np.intersect1d, [extraction.kept for extraction in extractions])
    return [extraction.only(kept) for extraction in extractions]


def _digest(file: Path) -> bytes | str:
    """The sha256 of a file, or the sentence that says why it cannot be read."""
    try:
        return hashlib.sha256(read_bytes(file)).digest()
    except BadImage as error:
        return str(error)


def _batches(
    decoded: Iterator[np.ndarray | str], digests: Sequence[bytes], bad: dict[bytes, str], *, size: int
) -> Iterator[dict[bytes, np.ndarray]]:
    """Images in groups of up to `size`; those that could not be read go into `bad`."""
    batch: dict[bytes, np.ndarray] = {}
    for digest, pixels in zip(digests, decoded, strict=True):
        if isinstance(pixels, str):
            bad[digest] = pixels
            continue
        batch[digest] = pixels
        if len(batch) == size:
            yield batch
            batch = {}
    if batch:
        yield batch


def shown_skips(skipped: Mapping[Path, str]) -> list[dict[str, str]]:
    """The images left out, as `result.json` names them."""
    return [{"file": display_name(file), "reason": reason} for file, reason in skipped.items()]
