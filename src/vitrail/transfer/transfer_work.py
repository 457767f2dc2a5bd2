"""Features of any slice of the images, and the classifier fitted to all of them: the work of `transfer`."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from vitrail.datasets.splits import TrainTestSplit
from vitrail.events import Event, Note, Progress, Result, Table, skipped_notes
from vitrail.formatting import percent
from vitrail.image_files import display_name
from vitrail.sharding.part import Part
from vitrail.transfer.features import Extractor
from vitrail.transfer.fine_tuning import FineTuning
from vitrail.transfer.fitting import Fitting
from vitrail.transfer.multi_network import MultiNetworkFeatures, extract_all
from vitrail.transfer.pipeline import FitResult, ReadableSplit, fit_fine_tuned, fit_linear, readable_split
from vitrail.transfer.precision import choose_precision


class TransferWork:
    """Networks, and images to train and to test on; see `Work`.

    Args:
        extractors: one a network.
        tuning: fine-tunes the only network, from the classifier that `fitting` gives; None: no fine-tuning.
        source: the data, as they were given.
        report: events from the fit and `seconds`.
        near_copies: finds altered copies of test images among the training images; None: they are not looked for.
        precision: "float32", or "auto" for bfloat16 where it is faster and costs no accuracy.
        in_shards: whether each shard's features are written to a file.
        started: time (`time.perf_counter`) at which the run began.
    """

    def __init__(
        self,
        split: TrainTestSplit,
        extractors: Sequence[Extractor],
        fitting: Fitting,
        tuning: FineTuning | None,
        *,
        source: str,
        report: Callable[..., Iterator[Event]],
        near_copies: Callable[[ReadableSplit], Generator[Progress, None, np.ndarray]] | None = None,
        precision: str = "float32",
        in_shards: bool,
        started: float,
    ) -> None:
        self._split, self._extractors, self._fitting, self._tuning = split, list(extractors), fitting, tuning
        self._near_copies = near_copies
        fixed = "asked for" if precision == "float32" else "the run is in shards" if in_shards else ""
        fixed = fixed or ("the network is fine-tuned" if tuning is not None else "")
        exact = {"precision": "float32", "why": fixed}
        self._precisions: dict[str, dict[str, Any]] = {each.spec.name: exact for each in extractors} if fixed else {}
        self._source, self._report, self._in_shards, self._started = source, report, in_shards, started
        self.files = (*split.train.files, *split.test.files)
        self._features: MultiNetworkFeatures | None = None
        self.depends_on = {
            "backbone": [extractor.identity() for extractor in extractors],
            "layers": {extractor.spec.name: extractor.layers for extractor in extractors},
            "average_flip": extractors[0].flip,
            "inference_engine": extractors[0].engine,
        }

    def process(self, rows: slice) -> Generator[Event, None, Part]:
        """Features of some images; in shards as tensors `network/layer`, (n, d) float32."""
        files = self.files[rows]
        started = time.perf_counter()
        tried = yield from self._choose_precisions()
        features = yield from extract_all(self._extractors, files)
        if tried:
            seconds = time.perf_counter() - started
            features = replace(features, computed=features.computed + tried, seconds=seconds)
        first = rows.indices(len(self.files))[0]
        named = [
            {"index": first + int(row), "file": display_name(files[row]), "content": int(content)}
            for row, content in zip(features.rows, features.contents, strict=True)
        ]
        about = {"device": features.device or self._device, "computed": features.computed}
        if not self._in_shards:  # `merge` follows in this process: the features need no file
            self._features = features
            return Part(about, named, features.skipped)
        about["engines"] = _untimed(features.engines)
        tensors = {
            _tensor_name(name, layer): block
            for name, layers in features.blocks.items()
            for layer, block in layers.items()
        }
        return Part(about, named, features.skipped, tensors)

    def _choose_precisions(self) -> Generator[Event, None, int]:
        """Each network's, where it is free, on training images; returns how many went through a network for it."""
        if self._precisions:
            return 0
        computed, train = 0, self._split.train
        for place, extractor in enumerate(self._extractors):
            name = extractor.spec.name
            trial = yield from choose_precision(
                extractor, self._fitting, train.files, train.labels, images=len(self.files)
            )
            self._precisions[name] = trial.record
            self._extractors[place] = replace(extractor, precision=trial.precision)
            computed += trial.computed
            if accuracy := trial.record.get("accuracy"):
                yield Note(
                    f"Features of {name} in {trial.precision}: on {trial.record['images']} training images "
                    f"cross-validation gave {percent(accuracy['bfloat16'])} in bfloat16, "
                    f"{percent(accuracy['float32'])} in float32."
                )
        return computed

    @property
    def _device(self) -> str:
        """The requested device, for a run whose features were all in the cache."""
        return self._extractors[0].device

    def merge(self, parts: Iterable[Part], limit: int | None = None) -> Iterator[Event]:
        """The classifier on the features of all images, its metrics and its files."""
        features = self._features or self._merged(list(parts))
        yield from skipped_notes(features.skipped)
        fit_started = time.perf_counter()
        data = readable_split(self._split, features, self._source)
        if self._near_copies is not None:
            data = data.with_near((yield from self._near_copies(data)))
        yield from map(Note, data.card.notes)
        fit = yield from self._fit(data)
        seconds = {
            "features": features.seconds,
            "fit": time.perf_counter() - fit_started,
            "total": time.perf_counter() - self._started,
        }
        yield Table("files", "Images", ("file", "class", "part", "sha256"), data.rows, prominent=False)
        yield from self._report(fit, seconds)
        yield Result(
            {
                **fit.evaluation.metrics(),
                "backbone": [extractor.identity() for extractor in self._extractors],
                "device": features.device or self._device,
                "data": data.values(),
                "seconds": seconds,
                "images_per_second": len(features.rows) / features.seconds,
                "engines": dict(features.engines),
                "feature_precision": self._precisions,
                "computed": features.computed,
                "skipped": list(features.skipped),
            }
        )

    def _fit(self, data: ReadableSplit) -> Generator[Event, None, FitResult]:
        first = self._extractors[0]
        about: dict[str, Any] = {"name": Path(self._source).name, "weights": first.weights, "flip": first.flip}
        if self._tuning is None:
            return (yield from fit_linear(data, self._fitting, **about))
        return (yield from fit_fine_tuned(data, self._fitting, self._tuning, **about))

    def _merged(self, parts: Sequence[Part]) -> MultiNetworkFeatures:
        """The features of all shards, as one pass over all images gives them."""
        full = [part for part in parts if part.tensors]
        blocks = {
            extractor.spec.name: {
                layer: np.concatenate([part.tensors[_tensor_name(extractor.spec.name, layer)] for part in full])
                for layer in extractor.layers
            }
            for extractor in (self._extractors if full else ())
        }
        return MultiNetworkFeatures(
            blocks=blocks,
            rows=np.array([row["index"] for part in parts for row in part.rows], np.int64),
            skipped=[skip for part in parts for skip in part.skipped],
            computed=sum(part.about["computed"] for part in parts),
            engines={name: engine for part in parts for name, engine in part.about["engines"].items()},
            seconds=time.perf_counter() - self._started,
            contents=np.array([row["content"] for part in parts for row in part.rows], np.uint64),
        )


def _tensor_name(backbone: str, layer: str) -> str:
    """Name of a layer's features in the file of a shard."""
    return f"{backbone}/{layer}"


def _untimed(engines: Mapping[str, Any]) -> dict[str, Any]:
    """Engines without measured times, so that the file of a shard does not depend on the process."""
    return {name: {key: engine[key] for key in ("engine", "device")} for name, engine in engines.items()}
