"""The steps of `transfer`, in order: data, features, fit, evaluation, report."""

from __future__ import annotations

import time
from collections.abc import Generator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from vitrail.backbones import BACKBONES
from vitrail.datasets import DATASETS
from vitrail.datasets.folder import folder, parts, stratified_split
from vitrail.datasets.labelled import LabelledPictures
from vitrail.errors import BadFolder, MissingExtra
from vitrail.events import Event, Note, Picture, Progress, Table, Weights
from vitrail.image_files import display_name
from vitrail.transfer.evaluation import confusion_matrix, per_class, wilson_interval
from vitrail.transfer.features import Extraction, Extractor, averaged, shown_skips
from vitrail.transfer.head import LinearHead, one_per_class, sharpness_of
from vitrail.transfer.linear_svm import LinearSVMCV
from vitrail.transfer.scaling import scale
from vitrail.transfer.selection import best_layers, layer_curve

if TYPE_CHECKING:
    from vitrail.tasks.transfer import Transfer

MISTAKES_SHOWN = 24


@dataclass
class Made:
    """The features of both parts, by backbone and layer, of the pictures that could be read."""

    train: LabelledPictures
    test: LabelledPictures
    features: dict[str, dict[str, tuple[np.ndarray, np.ndarray]]] = field(repr=False, default_factory=dict)
    backbones: list[dict[str, Any]] = field(default_factory=list)
    forward: dict[str, Any] = field(default_factory=dict)
    skipped: list[dict[str, str]] = field(default_factory=list)
    computed: int = 0
    device: str = "cpu"
    seconds: float = 0.0


@dataclass
class Fitted:
    """The head and what cross-validation said on the way."""

    head: LinearHead
    layers: dict[str, tuple[str, ...]]
    test_features: np.ndarray = field(repr=False)
    figures: dict[str, Any]
    seconds: float
    curve: tuple[list[float], np.ndarray] | None = None


def open_data(task: Transfer) -> tuple[LabelledPictures, LabelledPictures, list[Event]]:
    """The pictures to learn from and those to test on, and the split if one was made."""
    root = task.folder
    if not root.exists() and str(root) in DATASETS and str(root) != "folder":
        home = task.cache.parent / "datasets" / str(root)
        return DATASETS[str(root)](home, "train"), DATASETS[str(root)](home, "test"), []
    if parts(root):
        train, test = folder(root, "train"), folder(root, "test")
        return train, _same_classes(train, test, root), []
    everything = folder(root, None)
    first, second = stratified_split(everything, task.test_share, task.seed)
    rows = [
        (display_name(everything.files[i]), part) for part, group in (("train", first), ("test", second)) for i in group
    ]
    table = Table("split", "The split into train and test", ("file", "part"), rows, shown=False)
    return everything.take(first), everything.take(second), [table]


def _same_classes(train: LabelledPictures, test: LabelledPictures, root: Path) -> LabelledPictures:
    """The test part with its labels counted as in the training part."""
    unknown = sorted(set(test.classes) - set(train.classes))
    if unknown:
        raise BadFolder(
            f"Class {display_name(unknown[0])!r} is in {display_name(root / 'test')!r} and not in train; "
            "add it to train or remove it."
        )
    numbers = np.array([train.classes.index(name) for name in test.classes])
    return LabelledPictures(test.files, numbers[test.labels], train.classes)


def features_of(task: Transfer, train: LabelledPictures, test: LabelledPictures) -> Generator[Event, None, Made]:
    """Every layer's features of every picture; pictures that cannot be read are left out."""
    started = time.perf_counter()
    files = (*train.files, *test.files)
    raw: dict[str, dict[str, np.ndarray]] = {}
    made = Made(train, test)
    kept: np.ndarray | None = None
    for name in task.networks:
        recipe = BACKBONES[name]
        layers = recipe.feature_layers if task.layer == ("auto",) else task.layer
        extraction = yield from _extracted(task, name, layers, files, made)
        raw[name] = dict(extraction.features)
        kept = extraction.kept
        made.backbones.append({"name": name, "sha256": recipe.weights_sha256(task.weights)})
        if extraction.forward:
            made.forward[name] = dict(extraction.forward)
        made.skipped = shown_skips(extraction.skipped)
    assert kept is not None
    cut = int(np.searchsorted(kept, len(train)))
    made.train, made.test = train.take(kept[:cut]), test.take(kept[cut:] - len(train))
    _check_readable(train, made)
    made.features = {
        name: {layer: (rows[:cut], rows[cut:]) for layer, rows in blocks.items()} for name, blocks in raw.items()
    }
    for skip in made.skipped:
        yield Note(f"Skipped: {skip['reason']}")
    made.seconds = time.perf_counter() - started
    return made


def _extracted(
    task: Transfer, name: str, layers: tuple[str, ...], files: tuple[Path, ...], made: Made
) -> Generator[Progress | Note, None, Extraction]:
    settings: dict[str, Any] = dict(
        weights=task.weights,
        cache=task.cache if task.use_cache else None,
        engine=task.engine,
        device=task.device,
    )
    plain = yield from Extractor(BACKBONES[name], tuple(layers), **settings).run(files)
    made.computed += plain.computed
    if not task.flips:
        return plain
    mirrored = yield from Extractor(BACKBONES[name], tuple(layers), mirrored=True, **settings).run(files)
    made.computed += mirrored.computed
    return averaged(plain, mirrored)


def _check_readable(train: LabelledPictures, made: Made) -> None:
    readable = set(made.train.labels.tolist())
    broken = [name for label, name in enumerate(train.classes) if label not in readable]
    if broken:
        raise BadFolder(
            f"Class {display_name(broken[0])!r} has no picture that can be read "
            f"({made.skipped[0]['reason']}) Put readable pictures into it or remove its folder."
        )
    if len(train.classes) < 2:
        raise BadFolder(f"There is one class only, {display_name(train.classes[0])!r}; at least two would work.")


def fit(task: Transfer, made: Made) -> Generator[Event, None, Fitted]:
    """Chooses layers and C by cross-validation on the training part, then fits the head."""
    started = time.perf_counter()
    layers, curves = {}, []
    for name, blocks in made.features.items():
        if task.layer == ("auto",) and len(blocks) > 1:
            curve = layer_curve(
                {layer: pair[0] for layer, pair in blocks.items()},
                made.train.labels,
                scaling=task.scaling,
                folds=task.folds,
                seed=task.seed,
            )
            curves += [{"backbone": name, "layer": "+".join(chosen), "accuracy": value} for chosen, value in curve]
            layers[name] = best_layers(curve)
        else:
            layers[name] = tuple(blocks)
        yield Progress("layers", len(layers), len(made.features), "networks")
    pairs = [made.features[name][layer] for name, chosen in layers.items() for layer in chosen]
    train, test = (scale([pair[part] for pair in pairs], task.scaling) for part in (0, 1))
    head, C, path = _fit_head(task, train, made.train.labels)
    figures = {
        "choice": {"backbone": ",".join(layers), "layer": _layers_shown(layers), "C": C, "head": task.head},
        "curve_C": path,
        "curve_layer": curves,
    }
    return Fitted(head, layers, test, figures, time.perf_counter() - started)


def _fit_head(
    task: Transfer, train: np.ndarray, labels: np.ndarray
) -> tuple[LinearHead, float, list[dict[str, float]]]:
    if task.head == "logistic":
        return _fit_logistic(task, train, labels)
    search = LinearSVMCV(task.C or None, folds=task.folds, seed=task.seed).fit(train, labels)
    head = LinearHead(*one_per_class(search.coef_, search.intercept_), sharpness_of(search.out_of_fold_, labels))
    means, spreads = search.accuracy_path_.mean(axis=0), search.accuracy_path_.std(axis=0)
    path = [
        {"C": float(C), "accuracy": float(mean), "spread": float(spread)}
        for C, mean, spread in zip(search.Cs_, means, spreads, strict=True)
    ]
    return head, search.C_, path


def _fit_logistic(
    task: Transfer, train: np.ndarray, labels: np.ndarray
) -> tuple[LinearHead, float, list[dict[str, float]]]:
    from sklearn.linear_model import LogisticRegression  # noqa: PLC0415  (a second, for this head only)
    from sklearn.model_selection import GridSearchCV, StratifiedKFold  # noqa: PLC0415

    Cs = list(task.C) or np.logspace(-1, 4, 6).tolist()
    parts_of = StratifiedKFold(task.folds, shuffle=True, random_state=task.seed)
    search = GridSearchCV(LogisticRegression(max_iter=1000), {"C": Cs}, cv=parts_of).fit(train, labels)
    best = search.best_estimator_
    head = LinearHead(*one_per_class(best.coef_, best.intercept_), 1.0)
    results = search.cv_results_
    path = [
        {"C": float(C), "accuracy": float(mean), "spread": float(spread)}
        for C, mean, spread in zip(Cs, results["mean_test_score"], results["std_test_score"], strict=True)
    ]
    return head, float(best.C), path


def _layers_shown(layers: dict[str, tuple[str, ...]]) -> str:
    return ",".join("+".join(chosen) for chosen in layers.values())


def evaluate(task: Transfer, made: Made, fitted: Fitted) -> Generator[Event, None, dict[str, Any]]:
    """The figures on the test part, which nothing was chosen on."""
    labels, classes = made.test.labels, made.train.classes
    predicted = fitted.head.logits(fitted.test_features).argmax(axis=1)
    right = int((predicted == labels).sum())
    matrix = confusion_matrix(labels, predicted, len(classes))
    table = per_class(matrix, classes)
    accuracy = right / len(labels) if len(labels) else None
    low, high = wilson_interval(right, len(labels))
    choice = fitted.figures["choice"]
    if accuracy is not None:
        yield Note(
            f"Accuracy {accuracy:.4f} on {len(labels)} test pictures (95 % interval {low:.4f} to {high:.4f}); "
            f"{choice['head']} on {choice['backbone']}, layer {choice['layer']}, C = {choice['C']:.3g}."
        )
    rows = [(row["name"], row["n"], row["recall"], row["precision"]) for row in table]
    yield Table("per_class", "Per class", ("class", "n", "recall", "precision"), rows)
    counts = [(name, *map(int, row)) for name, row in zip(classes, matrix, strict=True)]
    yield Table("confusion", "Confusion: rows true, columns predicted", ("true", *classes), counts, shown=False)
    path = [(point["C"], point["accuracy"], point["spread"]) for point in fitted.figures["curve_C"]]
    yield Table("curve_C", "Cross-validation on train", ("C", "accuracy", "spread"), path)
    curve = [(point["backbone"], point["layer"], point["accuracy"]) for point in fitted.figures["curve_layer"]]
    if curve:
        yield Table("curve_layer", "Layers, cross-validation on train", ("backbone", "layer", "accuracy"), curve)
    test = {"accuracy": accuracy, "n": len(labels), "interval": [low, high], "per_class": table}
    return {"test": test, **fitted.figures, "confusion": matrix.tolist()}


def report(task: Transfer, made: Made, fitted: Fitted, figures: dict[str, Any]) -> Iterator[Event]:
    """The pictures and the classifier's files."""
    try:
        yield from _pictures(made, fitted, figures)
    except MissingExtra as error:
        yield Note(f"{error} No figures were drawn.")
    name = f"{figures['choice']['backbone']} on {task.folder.name}"
    members = [
        {"backbone": backbone, "layers": list(layers), "weights": str(task.weights) if task.weights else None}
        for backbone, layers in fitted.layers.items()
    ]
    description = {
        "name": name,
        "members": members,
        "scaling": task.scaling,
        "flip": task.flips,
        "classes": list(made.train.classes),
        "backbones": made.backbones,
    }
    yield Weights("head", fitted.head.tensors(), description, _card(name, figures))


def _pictures(made: Made, fitted: Fitted, figures: dict[str, Any]) -> Iterator[Event]:
    from vitrail.pictures import Axis, Line, confusion, curve  # noqa: PLC0415  (matplotlib, an extra)

    yield Picture(
        "confusion", "Confusion matrix of the test part", confusion(np.array(figures["confusion"]), made.train.classes)
    )
    path = figures["curve_C"]
    if len(path) > 1:
        mean, spread = ([point[key] for point in path] for key in ("accuracy", "spread"))
        line = Line([point["C"] for point in path], mean, "", spread)
        axis = Axis("C", "cross-validated accuracy", log_x=True)
        chosen = figures["choice"]["C"]
        yield Picture("curve_C", "Accuracy against C", curve([line], axis, marks={f"chosen C = {chosen:.3g}": chosen}))
    layers = figures["curve_layer"]
    if layers:
        names = [
            f"{point['layer']}" if len(made.features) == 1 else f"{point['backbone']}: {point['layer']}"
            for point in layers
        ]
        line = Line(list(map(float, range(len(layers)))), [point["accuracy"] for point in layers])
        axis = Axis("layer", "cross-validated accuracy", x_names=names)
        yield Picture("curve_layer", "Accuracy by layer", curve([line], axis))
    yield from _mistakes(made, fitted)


def _mistakes(made: Made, fitted: Fitted) -> Iterator[Event]:
    from PIL import Image  # noqa: PLC0415  (only when there are mistakes to show)

    from vitrail.pictures import contact_sheet  # noqa: PLC0415
    from vitrail.pictures.labels import percent  # noqa: PLC0415

    probabilities = fitted.head.probabilities(fitted.test_features)
    predicted, labels, classes = probabilities.argmax(axis=1), made.test.labels, made.train.classes
    wrong = np.flatnonzero(predicted != labels)
    worst = wrong[np.argsort(-probabilities[wrong, predicted[wrong]], kind="stable")][:MISTAKES_SHOWN]
    if not len(worst):
        return
    shown, captions = [], []
    for index in worst:
        with Image.open(made.test.files[index]) as picture:
            picture.draft("RGB", (256, 256))
            shown.append(np.asarray(picture.convert("RGB")))
        sure = percent(float(probabilities[index, predicted[index]]))
        captions.append(f"{classes[labels[index]]} → {classes[predicted[index]]} {sure}")
    yield Picture("mistakes", "The most confident mistakes: true → predicted", contact_sheet(shown, captions))


def _card(name: str, figures: dict[str, Any]) -> str:
    test = figures["test"]
    figure = "not measured" if test["accuracy"] is None else f"{test['accuracy']:.4f} on {test['n']} pictures"
    return (
        "---\nlibrary_name: vitrail\ntags:\n- image-classification\n---\n\n"
        f"# {name}\n\nA linear {figures['choice']['head']} on pretrained features. Test accuracy: {figure}.\n\n"
        "Use: `vitrail predict RUN PICTURE`, or in Python `vitrail.load(RUN)`.\n"
    )
