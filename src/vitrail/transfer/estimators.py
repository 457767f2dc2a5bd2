"""scikit-learn estimators on image files: they can be cloned, searched over and put into pipelines.

model = TransferClassifier(C=1.0).fit(files, labels)
model.score(other_files, other_labels)
model.network_      # backbone, scaling and linear head as one differentiable module
"""

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
from vitrail.errors import BadImage, BadSetting
from vitrail.events import Note, Progress
from vitrail.settings import cache_folder, split_commas
from vitrail.transfer.features import Extractor
from vitrail.transfer.fitting import Fitting, Head
from vitrail.transfer.multi_network import Blocks, extract_all
from vitrail.transfer.scaling import Scaling, scale

if TYPE_CHECKING:
    from vitrail.backbones.backbone import Backbone

T = TypeVar("T")
Files = Sequence[str | Path] | ndarray


class _Networks(BaseEstimator):  # type: ignore[misc]
    """The networks of both estimators."""

    backbone: str | Sequence[str]
    layers: str | Sequence[str]
    flip: bool
    weights: str | Path | None
    cache: str | Path | None
    engine: str
    device: str

    def _blocks(self, files: Files, layers: dict[str, tuple[str, ...]]) -> Blocks:
        """Features of all files, each of which must be readable."""
        extractors = [
            Extractor(
                BACKBONES[name],
                chosen,
                weights=None if self.weights is None else Path(self.weights),
                flip=self.flip,
                cache=cache_folder() if self.cache == "user" else None if self.cache is None else Path(self.cache),
                engine=self.engine,
                device=self.device,
            )
            for name, chosen in layers.items()
        ]
        features = finish(extract_all(extractors, [Path(file) for file in files]))
        if features.skipped:
            first = features.skipped[0]
            raise BadImage(first["reason"], kind=first["kind"], path=first["file"])
        return features.blocks

    def _asked_layers(self) -> dict[str, tuple[str, ...]]:
        """Backbone -> layers: the given ones, or all feature layers of the network."""
        named = None if self.layers == "auto" else tuple(split_commas(self.layers))
        return {name: named or BACKBONES[name].feature_layers for name in split_commas(self.backbone)}


class DeepFeatures(TransformerMixin, _Networks):  # type: ignore[misc]
    """Scaled features of one or several pretrained networks, from image files. Nothing is fitted.

    Args:
        backbone: name of a network, or several (a sequence, or "a,b") whose features are concatenated.
        layers: names of layers, or "auto" for the last feature layer of the network.
        scaling: "square-root", "unit" or "none"; see `vitrail.transfer.scaling`.
        flip: average the features of an image with those of its mirror image.
        weights: file to read instead of the network's own.
        cache: folder of the feature cache; "user" for that of the command line, None for none.
        engine: inference engine: "auto", "eager", "channels-last" or "openvino".
        device: "auto", "cpu", "cuda", "cuda:1" ...
    """

    def __init__(
        self,
        backbone: str | Sequence[str] = "efficientnet-lite0",
        *,
        layers: str | Sequence[str] = "auto",
        scaling: str = "square-root",
        flip: bool = False,
        weights: str | Path | None = None,
        cache: str | Path | None = "user",
        engine: str = "auto",
        device: str = "auto",
    ):
        self.backbone = backbone
        self.layers = layers
        self.scaling = scaling
        self.flip = flip
        self.weights = weights
        self.cache = cache
        self.engine = engine
        self.device = device

    def fit(self, X: Any, y: Any = None) -> DeepFeatures:
        """Checks the settings.

        Raises:
            UnknownName: there is no such network.
            BadSetting: there is no such scaling.
        """
        _check_choice("scaling", self.scaling, get_args(Scaling))
        self.layers_ = {
            name: layers[-1:] if self.layers == "auto" else layers for name, layers in self._asked_layers().items()
        }
        return self

    def transform(self, X: Files) -> ndarray:
        """(n, D) float32, a row for each file.

        Raises:
            BadImage: a file cannot be read.
            UnknownName, MissingWeights, BadWeights: see `vitrail.transfer.features.Extractor`.
        """
        check_is_fitted(self)
        blocks = self._blocks(X, self.layers_)
        return scale([block for layers in blocks.values() for block in layers.values()], self.scaling)  # type: ignore[arg-type]

    def __sklearn_tags__(self) -> Any:
        """The input is not a table of numbers."""
        return _takes_files(super().__sklearn_tags__())


class TransferClassifier(ClassifierMixin, _Networks):  # type: ignore[misc]
    """Image files to classes: features of pretrained networks and a linear classifier.

    Args:
        backbone, scaling, flip, weights, cache, engine, device: as for `DeepFeatures`.
        layers: names of layers, all of which are used; or "auto" to choose by cross-validation.
        C: of the linear classifier; None to choose by cross-validation from several.
        head: "svm" (squared hinge, one against the rest) or "logistic".
        folds, seed: of cross-validation.

    Attributes:
        classes_: (K,), sorted.
        head_: weights, intercept and logit scale (inverse temperature).
        layers_: backbone -> layers used.
        C_: the C used.
        curve_C_, curve_layer_: results of cross-validation; see `vitrail.transfer.fitting.Fitted`.
    """

    def __init__(
        self,
        backbone: str | Sequence[str] = "efficientnet-lite0",
        *,
        layers: str | Sequence[str] = "auto",
        C: float | None = None,
        head: str = "svm",
        scaling: str = "square-root",
        flip: bool = False,
        folds: int = 5,
        seed: int = 0,
        weights: str | Path | None = None,
        cache: str | Path | None = "user",
        engine: str = "auto",
        device: str = "auto",
    ):
        self.backbone = backbone
        self.layers = layers
        self.C = C
        self.head = head
        self.scaling = scaling
        self.flip = flip
        self.folds = folds
        self.seed = seed
        self.weights = weights
        self.cache = cache
        self.engine = engine
        self.device = device

    def fit(self, X: Files, y: Any) -> TransferClassifier:
        """Fits to files (n) and their labels (n,), of any kind that scikit-learn takes.

        Raises:
            BadImage: a file cannot be read.
            BadSetting: fewer labels than files, one class only, or a setting out of range.
        """
        _check_choice("head", self.head, get_args(Head))
        _check_choice("scaling", self.scaling, get_args(Scaling))
        check_classification_targets(y)
        self.classes_, labels = np.unique(np.asarray(y), return_inverse=True)
        if len(labels) != len(X):
            raise BadSetting(f"Every image needs one label; got {len(X)} images and {len(labels)} labels.")
        fitting = Fitting(
            self.head,  # type: ignore[arg-type]
            () if self.C is None else (self.C,),
            self.scaling,  # type: ignore[arg-type]
            self.layers == "auto",
            self.folds,
            self.seed,
        )
        self.fitted_ = fitting.run(self._blocks(X, self._asked_layers()), labels)
        self.head_, self.layers_, self.C_ = self.fitted_.head, dict(self.fitted_.layers), self.fitted_.C
        self.curve_C_, self.curve_layer_ = self.fitted_.curve_C, self.fitted_.curve_layer
        if self.fitted_.convergence_warning:
            warnings.warn(self.fitted_.convergence_warning, ConvergenceWarning, stacklevel=2)
        return self

    def decision_function(self, X: Files) -> ndarray:
        """Scores (n, K), or (n,) for two classes, positive for `classes_[1]`."""
        logits = self._logits(X)
        return logits[:, 1] - logits[:, 0] if len(self.classes_) == 2 else logits

    def predict_proba(self, X: Files) -> ndarray:
        """(n, K), rows summing to 1, calibrated on held-out parts of the training images."""
        check_is_fitted(self)
        return self.head_.probabilities(self.fitted_.features(self._blocks(X, self.layers_)))

    def predict(self, X: Files) -> ndarray:
        """(n,), the most probable class of each file."""
        best: ndarray = self.classes_[self._logits(X).argmax(axis=1)]
        return best

    @property
    def network_(self) -> Backbone:
        """The whole classifier as one differentiable module on images in [0, 1]."""
        from vitrail.transfer.classifier import Member, assemble

        check_is_fitted(self)
        weights = None if self.weights is None else Path(self.weights)
        members = [Member(BACKBONES[name], layers, weights) for name, layers in self.layers_.items()]
        classes = tuple(map(str, self.classes_))
        about = {"name": "transfer-classifier", "scaling": self.scaling, "flip": self.flip, "classes": classes}
        return assemble(members, self.head_, about)

    def _logits(self, X: Files) -> ndarray:
        check_is_fitted(self)
        return self.head_.logits(self.fitted_.features(self._blocks(X, self.layers_)))

    def __sklearn_tags__(self) -> Any:
        """The input is not a table of numbers."""
        return _takes_files(super().__sklearn_tags__())


def finish(steps: Generator[Progress | Note, None, T]) -> T:
    """Runs `steps` to the end and returns their value; notes become warnings."""
    while True:
        try:
            event = next(steps)
        except StopIteration as end:
            value: T = end.value
            return value
        if isinstance(event, Note):
            warnings.warn(event.text, stacklevel=2)


def _check_choice(setting: str, value: str, choices: Sequence[str]) -> None:
    if value not in choices:
        raise BadSetting(f"{setting} must be one of {', '.join(choices)}; got {value!r}.")


def _takes_files(tags: Any) -> Any:
    tags.input_tags.two_d_array = False
    tags.input_tags.string = True
    tags.no_validation = True
    return tags
