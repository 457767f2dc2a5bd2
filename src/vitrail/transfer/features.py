"""Features of a network's layers for image files, computed once and then read from the cache."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Generator, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import asdict, dataclass, field, replace
from functools import reduce
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from vitrail.backbones.spec import BackboneSpec
from vitrail.devices import choose_device, cpu_count
from vitrail.errors import BadImage
from vitrail.events import Note, Progress
from vitrail.image_files import display_name, read_bytes, skipped_entry
from vitrail.transfer.cache import FeatureCache
from vitrail.transfer.decoding import Decoder, Supply
from vitrail.transfer.store import FeatureStore

if TYPE_CHECKING:
    from vitrail.backbones.backbone import Backbone
    from vitrail.backbones.inference_engine import InferenceEngine, Precision

CHUNK = 512  # images that are hashed, decoded and stored together; a killed run loses one chunk
CHUNK_ACCELERATOR = 4096  # which takes no longer there; between chunks it has nothing to do
BATCH = 4  # on a CPU: larger batches do not fit its caches and take up to twice as long per image
BATCH_ACCELERATOR = 256
GROUP = 4  # batches that go to the engine at once, per processor: some engines compute several at a time


@dataclass(frozen=True)
class Extraction:
    """Features of one network.

    Attributes:
        features: layer -> (n, d) float32, one row for each of `rows`.
        rows: (n,) int64, positions of the readable files among those given.
        skipped: the other files: `file`, `kind` and `reason` of each.
        computed: number of images that went through the network; the others were in the cache.
        engine: inference engine, device and reason; None when the network was not needed.
        seconds: wall time, reading and decoding included.
        contents: (n,) uint64, the first 64 bits of each file's sha256.
    """

    features: Mapping[str, np.ndarray] = field(repr=False)
    rows: np.ndarray = field(repr=False)
    skipped: Sequence[Mapping[str, str]]
    computed: int
    engine: Mapping[str, Any] | None
    seconds: float
    contents: np.ndarray = field(repr=False)

    def select(self, rows: np.ndarray) -> Extraction:
        """The features of the files at `rows` (m,), a subset of `self.rows`."""
        if np.array_equal(rows, self.rows):
            return self
        places = np.searchsorted(self.rows, rows)
        features = {layer: block[places] for layer, block in self.features.items()}
        return replace(self, rows=rows, features=features, contents=self.contents[places])


@dataclass
class Extractor:
    """Feature extraction by one network: all layers from one forward pass per image.

    Args:
        layers: names of the layers.
        weights: file that replaces the network's own weights.
        flip: whether features are averaged with those of the mirror image.
        cache: folder of the feature cache; None: no cache.
        engine: inference engine; "auto" measures, see `vitrail.backbones.inference_engine`.
        backbone: the network, if it is already in memory; its features are not cached, as no file identifies its
            weights.
        precision: of the forward pass; features in another than float32 are cached apart.
        deterministic: for shards: "auto" chooses the engine by rule instead of by measurement, so that the features of
            an image do not depend on the process that computes them.
    """

    spec: BackboneSpec
    layers: tuple[str, ...]
    weights: Path | None = None
    flip: bool = False
    cache: Path | None = None
    engine: str = "auto"
    device: str = "auto"
    backbone: Backbone | None = None
    precision: Precision = "float32"
    deterministic: bool = False
    _engine: InferenceEngine | None = field(default=None, init=False, repr=False)

    def identity(self) -> dict[str, str | None]:
        """`name` and `sha256` of the weights, as in `result.json`."""
        return {"name": self.spec.name, "sha256": self.spec.weights_sha256(self.weights)}

    def run(self, files: Sequence[Path]) -> Generator[Progress | Note, None, Extraction]:
        """Yields progress and returns the `Extraction`: `extraction = yield from extractor.run(files)`.

        Raises:
            UnknownName: the network has no such layer.
            MissingWeights, BadWeights: the weights are not on this machine, or damaged.
        """
        if not self.deterministic:
            self._engine = None
        original = yield from self._pass(files, mirrored=False)
        if not self.flip:
            return original
        mirrored = yield from self._pass(files, mirrored=True)
        return _averaged(original, mirrored)

    def holds(self, files: Sequence[Path]) -> bool:
        """Whether the features of all of these files that can be read are in the cache."""
        with ThreadPoolExecutor(cpu_count()) as pool:
            named = dict(zip(pool.map(_digest, files), files, strict=True))
        for mirrored in (False, True) if self.flip else (False,):
            self._mirrored = mirrored
            self._stores = {layer: self._store(layer) for layer in self.layers}
            if self._missing(named):
                return False
        return True

    def _pass(self, files: Sequence[Path], *, mirrored: bool) -> Generator[Progress | Note, None, Extraction]:
        started = time.perf_counter()
        self._mirrored = mirrored
        self._name = f"{self.spec.name}, mirrored" if mirrored else self.spec.name
        self._stores = {layer: self._store(layer) for layer in self.layers}
        self._computed, self._total = 0, len(files)
        digests: dict[int, bytes] = {}
        skipped: list[dict[str, str]] = []
        self._decode = Decoder(self.spec.preprocessing, mirrored)
        processes = 0 if self._on_cpu else cpu_count()  # a network on the CPU is slower than the decoding
        with (
            ThreadPoolExecutor(cpu_count()) as pool,
            closing(Supply(self._decode, pool, processes=processes)) as supply,
        ):
            size = CHUNK if self._on_cpu else CHUNK_ACCELERATOR
            for start in range(0, len(files), size):
                chunk = files[start : start + size]
                outcome = yield from self._chunk(chunk, pool, supply, start)
                supply.speed_up(len(files) - start - len(chunk))
                for index, (file, digest) in enumerate(zip(chunk, outcome, strict=True), start):
                    if isinstance(digest, bytes):
                        digests[index] = digest
                    else:
                        skipped.append(skipped_entry(file, digest))
        known = list(digests.values())
        decoded_by = {"decoding_processes": supply.processes} if supply.processes else {}
        return Extraction(
            features={layer: self._stores[layer].read(known) for layer in self.layers} if known else {},
            rows=np.array(list(digests), np.int64),
            skipped=skipped,
            computed=self._computed,
            engine={**self._engine.choice, **decoded_by} if self._engine else None,
            seconds=time.perf_counter() - started,
            contents=np.array([int.from_bytes(digest[:8], "big") for digest in known], np.uint64),
        )

    def _store(self, layer: str) -> FeatureStore:
        if self.cache is None or self.backbone is not None:
            return FeatureStore(None)
        description = {
            "backbone": self.spec.name,
            "weights": self.spec.weights_sha256(self.weights),
            "layer": layer,
            "preprocessing": asdict(self.spec.preprocessing),
            "mirrored": self._mirrored,
            # Rounded in other places by each kind of device.
            "precision": self.precision if self.precision == "float32" else f"{self.precision} {self._kind}",
        }
        return FeatureStore(FeatureCache(self.cache, description))

    def _chunk(
        self, files: Sequence[Path], pool: ThreadPoolExecutor, supply: Supply, start: int
    ) -> Generator[Progress | Note, None, list[bytes | BadImage]]:
        """Stores the features of each file; gives its digest, or the error if it cannot be read."""
        outcome = list(pool.map(_digest, files))
        todo = self._missing({digest: file for file, digest in zip(files, outcome, strict=True)})
        bad: dict[bytes, BadImage] = {}
        new: dict[bytes, list[np.ndarray]] = {}
        size = self._batch_size() * (GROUP * cpu_count() if self._on_cpu else GROUP) if todo else 0
        for batch in _batches(supply.images(list(todo.values())), list(todo), bad, size=size):
            rows = self.rows(np.stack(list(batch.values())))
            new.update(zip(batch, zip(*rows, strict=True), strict=True))  # type: ignore[arg-type]
            self._computed += len(batch)
            yield Progress("features", start + len(new), self._total, detail=self._name)
        for problem in self._store_rows(new):
            yield Note(f"{problem} The run continues without the cache.", "warning")
        if len(new) < len(files):  # the others were in the cache, or cannot be read
            yield Progress("features", start + len(files), self._total, detail=self._name)
        return [
            self._error_of(file, bad[digest]) if isinstance(digest, bytes) and digest in bad else digest
            for file, digest in zip(files, outcome, strict=True)
        ]

    def _error_of(self, file: Path, first: BadImage) -> BadImage:
        """The error of `file`; of several files with one content only the first was decoded."""
        if first.path == display_name(file):
            return first
        again = self._decode(file)
        return again if isinstance(again, BadImage) else first

    def _missing(self, files: Mapping[bytes | BadImage, Path]) -> dict[bytes, Path]:
        """The images, each content once, without a stored row of some layer."""
        known = [digest for digest in files if isinstance(digest, bytes)]
        held = [store.holds(known) for store in self._stores.values()]
        return {digest: files[digest] for digest, there in zip(known, np.all(held, axis=0), strict=True) if not there}

    def rows(self, pixels: np.ndarray) -> list[np.ndarray]:
        """Features (n, d) of each layer, of pixels (n, 3, H, W) of a batch."""
        if self._engine is None:
            from vitrail.backbones.forward_pass import PooledFeatures
            from vitrail.backbones.inference_engine import choose_engine, default_engine

            size = self._batch_size() if self.deterministic else min(self._batch_size(), self._total)
            example = np.concatenate([pixels] * -(-size // len(pixels)))[:size]
            self._engine = choose_engine(
                PooledFeatures(self.backbone or self.spec(self.weights), self.layers),
                example,
                engine=default_engine() if self.deterministic and self.engine == "auto" else self.engine,
                device=choose_device(self.device),
                images=10**6 if self.deterministic else self._total,  # a small shard gives the bits of a large one
                precision=self.precision,
            )
        return self._engine(pixels)

    def _batch_size(self) -> int:
        return BATCH if self._on_cpu else BATCH_ACCELERATOR

    @property
    def _on_cpu(self) -> bool:
        return self._kind == "cpu"

    @property
    def _kind(self) -> str:
        """Type of the device."""
        return choose_device(self.device).partition(":")[0]

    def _store_rows(self, new: Mapping[bytes, Sequence[np.ndarray]]) -> Iterator[str]:
        """Stores the rows of new images; yields the message if the cache cannot be written."""
        if not new:
            return
        problems = [
            store.add(list(new), np.stack([rows[index] for rows in new.values()]))
            for index, store in enumerate(self._stores.values())
        ]
        yield from (problem for problem in problems[:1] if problem)


def _averaged(original: Extraction, mirrored: Extraction) -> Extraction:
    """The mean of the features of the images and of their mirror images."""
    original, mirrored = common_rows([original, mirrored])
    return replace(
        original,
        features={layer: (rows + mirrored.features[layer]) / 2 for layer, rows in original.features.items()},
        computed=original.computed + mirrored.computed,
        engine=original.engine or mirrored.engine,
        seconds=original.seconds + mirrored.seconds,
    )


def common_rows(extractions: Sequence[Extraction]) -> list[Extraction]:
    """The same extractions, reduced to the files that all networks could read."""
    rows = reduce(np.intersect1d, [extraction.rows for extraction in extractions])
    return [extraction.select(rows) for extraction in extractions]


def _digest(file: Path) -> bytes | BadImage:
    """The sha256 of a file, or the error if it cannot be read."""
    try:
        return hashlib.sha256(read_bytes(file)).digest()
    except BadImage as error:
        return error


def _batches(
    decoded: Iterator[np.ndarray | BadImage], digests: Sequence[bytes], bad: dict[bytes, BadImage], *, size: int
) -> Iterator[dict[bytes, np.ndarray]]:
    """Images in batches of up to `size`; the errors of those that cannot be decoded go into `bad`."""
    batch: dict[bytes, np.ndarray] = {}
    for digest, pixels in zip(digests, decoded, strict=True):
        if isinstance(pixels, BadImage):
            bad[digest] = pixels
            continue
        batch[digest] = pixels
        if len(batch) == size:
            yield batch
            batch = {}
    if batch:
        yield batch
