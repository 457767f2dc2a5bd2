"""Features of a slice of the images, and the classifier that is fitted to all of them."""

from __future__ import annotations

import time
from collections.abc import Generator, Iterable, Iterator, Mapping
from typing import Any

import numpy as np

from vitrail.backbones import BACKBONES
from vitrail.datasets.splits import open_train_test
from vitrail.events import Event, Result, skipped_notes
from vitrail.image_files import display_name
from vitrail.sharding.part import Part
from vitrail.tasks.transfer import Transfer
from vitrail.tasks.transfer_report import report
from vitrail.transfer.features import Extractor
from vitrail.transfer.fine_tuning import FineTuning
from vitrail.transfer.fitting import Fitting
from vitrail.transfer.multi_network import MultiNetworkFeatures, extract_all
from vitrail.transfer.pipeline import FitResult, fit_fine_tuned, fit_linear, readable_split


class TransferWork:
    """Networks, and images to train and to test on; see `Work`."""

    def __init__(self, task: Transfer) -> None:
        self._started, self._task = time.perf_counter(), task
        home = task.cache.parent / "datasets"
        self._split = open_train_test(task.folder, home=home, test_share=task.test_share, seed=task.seed)
        self.files = (*self._split.train.files, *self._split.test.files)
        self._extractors = [self._extractor(name) for name in task.backbone]
        self._layers = [(extractor.spec.name, layer) for extractor in self._extractors for layer in extractor.layers]
        self._features: MultiNetworkFeatures | None = None
        self.depends_on = {
            "backbone": [extractor.identity() for extractor in self._extractors],
            "layers": {extractor.spec.name: extractor.layers for extractor in self._extractors},
            "average_flip": task.average_flip,
            "inference_engine": task.inference_engine,
        }

    def process(self, rows: slice) -> Generator[Event, None, Part]:
        """Features of some images: for each network and layer a tensor `network/layer`, (n, d) float32."""
        files = self.files[rows]
        features = yield from extract_all(self._extractors, files)
        first = rows.indices(len(self.files))[0]
        named = [{"index": first + int(row), "file": display_name(files[row])} for row in features.rows]
        about = {"device": features.device or self._task.device, "computed": features.computed}
        if not self._task.is_sharded:
            self._features = features
            return Part(about, named, features.skipped)
        about["engines"] = _untimed(features.engines)
        tensors = {f"{name}/{layer}": block for name, layer, block in _flat(features)}
        return Part(about, named, features.skipped, tensors)

    def merge(self, parts: Iterable[Part], limit: int | None = None) -> Iterator[Event]:
        """The classifier on the features of all images, and how good it is."""
        task = self._task
        features = self._features or self._merged(list(parts))
        yield from skipped_notes(features.skipped)
        fit_started = time.perf_counter()
        train, test = readable_split(self._split, features)
        fit = yield from self._fit(train, test, features)
        seconds = {
            "features": features.seconds,
            "fit": time.perf_counter() - fit_started,
            "total": time.perf_counter() - self._started,
        }
        yield from report(fit, self._split.assignment, train=len(train), seconds=seconds)
        yield Result(
            {
                **fit.evaluation.metrics(),
                "backbone": [extractor.identity() for extractor in self._extractors],
                "device": features.device or task.device,
                "seconds": seconds,
                "images_per_second": len(features.rows) / features.seconds,
                "engines": dict(features.engines),
                "computed": features.computed,
                "skipped": list(features.skipped),
            }
        )

    def _fit(self, train: Any, test: Any, features: MultiNetworkFeatures) -> Generator[Event, None, FitResult]:
        task = self._task
        about: dict[str, Any] = {"name": task.folder.name, "weights": task.weights, "flip": task.average_flip}
        if task.head != "fine-tune":
            choose = task.layer == ("auto",)
            fitting = Fitting(task.head, task.C, task.feature_scaling, choose, task.folds, task.seed)
            return (yield from fit_linear(train, test, features, fitting, **about))
        tuning = FineTuning(
            task.train_layers,
            task.epochs,
            learning_rate=task.learning_rate,
            engine=task.inference_engine,
            device=task.device,
            seed=task.seed,
        )
        start = Fitting("svm", task.C, "none", False, task.folds, task.seed)
        return (yield from fit_fine_tuned(train, test, features, start, tuning, **about))

    def _extractor(self, name: str) -> Extractor:
        task = self._task
        offered: tuple[str, ...] = BACKBONES[name].feature_layers
        if task.head == "fine-tune":
            offered = offered[-1:]  # the input of the last layer, which is replaced
        return Extractor(
            BACKBONES[name],
            offered if task.layer == ("auto",) else task.layer,
            weights=task.weights,
            flip=task.average_flip,
            cache=task.cache if task.use_cache and not task.is_sharded else None,
            engine=task.inference_engine,
            device=task.device,
            deterministic=task.is_sharded,
        )

    def _merged(self, parts: list[Part]) -> MultiNetworkFeatures:
        """The features of all shards, as one pass over all images gives them."""
        full = [part for part in parts if part.tensors]
        blocks: dict[str, dict[str, np.ndarray]] = {}
        for name, layer in self._layers if full else ():
            blocks.setdefault(name, {})[layer] = np.concatenate([part.tensors[f"{name}/{layer}"] for part in full])
        return MultiNetworkFeatures(
            blocks=blocks,
            rows=np.array([row["index"] for part in parts for row in part.rows], np.int64),
            skipped=[skip for part in parts for skip in part.skipped],
            computed=sum(part.about["computed"] for part in parts),
            engines={name: engine for part in parts for name, engine in part.about["engines"].items()},
            seconds=time.perf_counter() - self._started,
        )


def _flat(features: MultiNetworkFeatures) -> Iterator[tuple[str, str, np.ndarray]]:
    for name, layers in features.blocks.items():
        for layer, block in layers.items():
            yield name, layer, block


def _untimed(engines: Mapping[str, Any]) -> dict[str, Any]:
    """Engines without measured times: a shard is the same file, whichever process makes it."""
    return {name: {key: engine[key] for key in ("engine", "device")} for name, engine in engines.items()}
