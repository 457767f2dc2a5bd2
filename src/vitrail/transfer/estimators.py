"""scikit-learn estimators on image files, for pipelines and searches."""

from __future__ import annotations

import warnings
from collections.abc import Generator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, get_args

import numpy as np
from numpy import ndarray
from sklearn.base import BaseEstimator, ClassifierMixin, TransformerMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted

from vitrail.backbones import BACKBONES
from vitrail.backbones.inference_engine import Engine
from vitrail.devices import choose_device
from vitrail.errors import BadImage, BadSetting, one_line
from vitrail.events import Note, Progress
from vitrail.settings import cache_folder
from vitrail.transfer.features import Extractor
from vitrail.transfer.fitting import Fitting, Head
from vitrail.transfer.multi_network import Blocks, extract_all
from vitrail.transfer.scaling import Scaling, scale
from vitrail.validation import check_choice, check_count, check_number, check_path, check_seed, describe, paths_of

if TYPE_CHECKING:
    from vitrail.backbones.backbone import Backbone

T = TypeVar("T")
Files = str | Path | Sequence[str | Path] | ndarray


class _Networks(BaseEstimator):  # type: ignore[misc]
    """Feature extraction, common to both estimators."""

    backbone: str | Sequence[str]
    layers: str | Sequence[str]
    average_flip: bool
    weights: str | Path | None
    cache: str | Path | None
    inference_engine: str
    device: str

    def _blocks(self, files: Files, layers: dict[str, tuple[str, ...]]) -> Blocks:
        """Features of all files, each of which must be readable."""
        self._check_networks()
        extractors = [
            Extractor(
                BACKBONES[name],
                chosen,
                weights=None if self.weights is None else Path(self.weights),
                flip=bool(self.average_flip),
                cache=cache_folder() if self.cache == "user" else None if self.cache is None else Path(self.cache),
                engine=self.inference_engine,
                device=self.device,
            )
            for name, chosen in layers.items()
        ]
        features = finish(extract_all(extractors, _files(files)))
        if features.skipped:
            first = features.skipped[0]
            raise BadImage(first["reason"], kind=first["kind"], path=first["file"])
        return features.blocks

    def _check_networks(self) -> None:
        """Checks the settings that the features depend on, also where all of them are cached."""
        check_choice("inference_engine", self.inference_engine, get_args(Engine))
        choose_device(self.device)
        if not isinstance(self.average_flip, bool | np.bool_):
            raise BadSetting(f"average_flip must be True or False; got {describe(self.average_flip)}.")
        for setting in ("weights", "cache"):
            if getattr(self, setting) is not None:
                check_path(setting, getattr(self, setting))

    def _candidate_layers(self) -> dict[str, tuple[str, ...]]:
        """Backbone -> layers: those of the setting, or all feature layers of the network."""
        backbones = _names("backbone", self.backbone)
        named = None if isinstance(self.layers, str) and self.layers == "auto" else _names("layers", self.layers)
        return {name: named or BACKBONES[name].feature_layers for name in backbones}


class DeepFeatures(TransformerMixin, _Networks):  # type: ignore[misc]
    """Scaled features of one or several pretrained networks, from image files; `fit` learns nothing.

    Args:
        backbone: name of a network, or several (a sequence, or "a,b") whose features are concatenated.
        layers: names of layers; "auto": the last feature layer of each network.
        feature_scaling: "square-root", "unit" or "none"; see `vitrail.transfer.scaling`.
        average_flip: whether features are averaged with those of the mirror image.
        weights: file that replaces the network's own weights.
        cache: folder of the feature cache; "user": that of the command line; None: no cache.
        inference_engine: "auto", "eager", "channels-last" or "openvino".
        device: "auto", "cpu", "cuda", "cuda:1" or "mps".

    Attributes:
        layers_: backbone -> layers used.
    """

    def __init__(
        self,
        backbone: str | Sequence[str] = "efficientnet-lite0",
        *,
        layers: str | Sequence[str] = "auto",
        feature_scaling: str = "square-root",
        average_flip: bool = False,
        weights: str | Path | None = None,
        cache: str | Path | None = "user",
        inference_engine: str = "auto",
        device: str = "auto",
    ):
        self.backbone = backbone
        self.layers = layers
        self.feature_scaling = feature_scaling
        self.average_flip = average_flip
        self.weights = weights
        self.cache = cache
        self.inference_engine = inference_engine
        self.device = device

    def fit(self, X: Any, y: Any = None) -> DeepFeatures:
        """Checks the settings; `X` and `y` are not read.

        Raises:
            UnknownName: there is no such network.
            BadSetting: a setting is none of its values.
        """
        check_choice("feature_scaling", self.feature_scaling, get_args(Scaling))
        self._check_networks()
        self.layers_ = {
            name: layers[-1:] if isinstance(self.layers, str) and self.layers == "auto" else layers
            for name, layers in self._candidate_layers().items()
        }
        return self

    def transform(self, X: Files) -> ndarray:
        """(n, D) float32, one row for each file.

        Raises:
            BadImage: a file cannot be read.
            UnknownName: a network has no such layer.
            MissingWeights, BadWeights: the weights are not on this machine, or damaged.
        """
        check_is_fitted(self)
        blocks = self._blocks(X, self.layers_)
        return scale([block for layers in blocks.values() for block in layers.values()], self.feature_scaling)  # type: ignore[arg-type]

    def __sklearn_tags__(self) -> Any:
        """For scikit-learn: the input is a list of files, not a table of numbers."""
        return _takes_files(super().__sklearn_tags__())


class TransferClassifier(ClassifierMixin, _Networks):  # type: ignore[misc]
    """Image classifier: features of pretrained networks and a linear classifier.

    `TransferClassifier(C=1.0).fit(files, labels).score(test_files, test_labels)`; afterwards `network_` is the whole
    classifier as one differentiable network.

    Args:
        backbone, feature_scaling, average_flip, weights, cache, inference_engine, device: as for `DeepFeatures`.
        layers: names of layers, all of which are used; "auto": chosen by cross-validation.
        C: inverse regularisation strength; None: chosen by cross-validation.
        head: "svm" (squared hinge, one-vs-rest) or "logistic".
        folds, seed: of cross-validation.

    Attributes:
        classes_: (K,), sorted.
        head_: weights, intercept and logit scale (1 / temperature).
        layers_: backbone -> layers used.
        C_: the chosen C.
        curve_C_, curve_layer_: results of cross-validation; see `vitrail.transfer.fitting.Fitted`.
    """

    def __init__(
        self,
        backbone: str | Sequence[str] = "efficientnet-lite0",
        *,
        layers: str | Sequence[str] = "auto",
        C: float | None = None,
        head: str = "svm",
        feature_scaling: str = "square-root",
        average_flip: bool = False,
        folds: int = 5,
        seed: int = 0,
        weights: str | Path | None = None,
        cache: str | Path | None = "user",
        inference_engine: str = "auto",
        device: str = "auto",
    ):
        self.backbone = backbone
        self.layers = layers
        self.C = C
        self.head = head
        self.feature_scaling = feature_scaling
        self.average_flip = average_flip
        self.folds = folds
        self.seed = seed
        self.weights = weights
        self.cache = cache
        self.inference_engine = inference_engine
        self.device = device

    def fit(self, X: Files, y: Any) -> TransferClassifier:
        """Fits to image files (n) and their labels (n,), of any type that scikit-learn takes.

        Raises:
            BadImage: a file cannot be read.
            BadSetting: no file, labels that are no classes, one class only, or a setting out of range.
        """
        check_choice("head", self.head, get_args(Head))
        check_choice("feature_scaling", self.feature_scaling, get_args(Scaling))
        check_count("folds", self.folds, least=2)
        check_seed("seed", self.seed)
        if self.C is not None:
            check_number("C", self.C, above=0)
        X = _files(X)
        self.classes_, labels = _classes(y)
        if len(labels) != len(X):
            raise BadSetting(f"There must be one label per image; got {len(X)} images and {len(labels)} labels.")
        fitting = Fitting(
            self.head,  # type: ignore[arg-type]
            () if self.C is None else (float(self.C),),
            self.feature_scaling,  # type: ignore[arg-type]
            isinstance(self.layers, str) and self.layers == "auto",
            int(self.folds),
            int(self.seed),
        )
        self.fitted_ = fitting.run(self._blocks(X, self._candidate_layers()), labels)
        self.head_, self.layers_, self.C_ = self.fitted_.head, dict(self.fitted_.layers), self.fitted_.C
        self.curve_C_, self.curve_layer_ = self.fitted_.curve_C, self.fitted_.curve_layer
        if self.fitted_.convergence_warning:
            warnings.warn(self.fitted_.convergence_warning, ConvergenceWarning, stacklevel=2)
        return self

    def decision_function(self, X: Files) -> ndarray:
        """Logits (n, K); for two classes (n,), positive for `classes_[1]`."""
        check_is_fitted(self)
        logits = self._logits(X)
        return logits[:, 1] - logits[:, 0] if len(self.classes_) == 2 else logits

    def predict_proba(self, X: Files) -> ndarray:
        """(n, K), rows summing to 1, calibrated by temperature scaling on held-out folds of the training images."""
        check_is_fitted(self)
        return self.head_.probabilities(self.fitted_.features(self._blocks(X, self.layers_)))

    def predict(self, X: Files) -> ndarray:
        """(n,), the most probable class of each file."""
        check_is_fitted(self)
        best: ndarray = self.classes_[self._logits(X).argmax(axis=1)]
        return best

    @property
    def network_(self) -> Backbone:
        """The classifier as one differentiable network on images (N, 3, H, W) in [0, 1]."""
        from vitrail.transfer.classifier import Member, SavedClassifier

        check_is_fitted(self)
        weights = None if self.weights is None else Path(self.weights)
        return SavedClassifier(
            tuple(Member(BACKBONES[name], layers, weights) for name, layers in self.layers_.items()),
            self.head_,
            name="transfer-classifier",
            scaling=self.feature_scaling,  # type: ignore[arg-type]
            flip=bool(self.average_flip),
            classes=tuple(map(str, self.classes_)),
        ).build()

    def _logits(self, X: Files) -> ndarray:
        return self.head_.logits(self.fitted_.features(self._blocks(X, self.layers_)))

    def __sklearn_tags__(self) -> Any:
        """For scikit-learn: the input is a list of files, not a table of numbers."""
        return _takes_files(super().__sklearn_tags__())


def finish(steps: Generator[Progress | Note, None, T]) -> T:
    """Runs a generator of events to its end and returns its value; notes become Python warnings."""
    while True:
        try:
            event = next(steps)
        except StopIteration as end:
            value: T = end.value
            return value
        if isinstance(event, Note):
            warnings.warn(event.text, stacklevel=2)


def _names(setting: str, value: Any) -> tuple[str, ...]:
    """`"a,b"` or a sequence as names."""
    names = value.tolist() if isinstance(value, ndarray) else value
    if isinstance(value, str):
        names = [part.strip() for part in value.split(",") if part.strip()]
    if not isinstance(names, Sequence) or not names or not all(isinstance(name, str) for name in names):
        raise BadSetting(f"{setting} must be a name, or several; got {describe(value)}.")
    return tuple(names)


def _files(given: Files) -> list[Path]:
    """Image files, of which there must be one."""
    if isinstance(given, ndarray) and given.ndim != 1:
        raise BadSetting(f"X must be a path or a list of paths; got {describe(given)}.")
    paths = paths_of("X", given)
    if not paths:
        raise BadSetting("X must be at least one image file; got none. Use a path or a list of paths.")
    return paths


def _classes(y: Any) -> tuple[ndarray, ndarray]:
    """The classes, sorted, and the index of the class of each image."""
    try:
        check_classification_targets(y)
        values = np.asarray(y)
        if values.ndim != 1:
            raise ValueError("it must have one axis")
        classes, labels = np.unique(values, return_inverse=True)
    except (ValueError, TypeError) as error:  # TypeError: values that have no order
        raise BadSetting(
            f"y must be one class per image, such as ['cat', 'dog']; got {describe(y)} ({one_line(error)})."
        ) from None
    return classes, labels


def _takes_files(tags: Any) -> Any:
    tags.input_tags.two_d_array = False
    tags.input_tags.string = True
    tags.no_validation = True
    return tags
