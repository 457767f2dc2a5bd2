"""What `transfer` shows: figures, tables, images, and the classifier's files."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from vitrail.datasets.labelled import LabelledImages
from vitrail.errors import MissingExtra
from vitrail.events import Event, Note, Plot, Table
from vitrail.image_files import display_name
from vitrail.transfer.evaluation import confusion_matrix, per_class, wilson_interval

MISTAKES_SHOWN = 24
CLASSES_SHOWN = 20  # in the confusion table: as many columns as a terminal has room for


@dataclass(frozen=True)
class Outcome:
    """A classifier on images that nothing was chosen on.

    Args:
        test: the images it was tested on.
        probabilities: (n, K) of their classes.
        chosen: `choice`, `curve_C`, `curve_layer` and, after fine-tuning, `curve_epoch`, as in `result.json`.
    """

    test: LabelledImages
    probabilities: np.ndarray = field(repr=False)
    chosen: dict[str, Any]

    @property
    def predicted(self) -> np.ndarray:
        """(n,), the likeliest class."""
        best: np.ndarray = self.probabilities.argmax(axis=1)
        return best

    def figures(self) -> dict[str, Any]:
        """Accuracy with its 95 % interval, per class, and the confusion matrix; None if nothing was tested."""
        labels, classes = self.test.labels, self.test.classes
        right, matrix = int((self.predicted == labels).sum()), confusion_matrix(labels, self.predicted, len(classes))
        test = {
            "accuracy": right / len(labels) if len(labels) else None,
            "n": len(labels),
            "interval": list(wilson_interval(right, len(labels))),
            "per_class": per_class(matrix, classes),
        }
        return {"test": test, **self.chosen, "confusion": matrix.tolist()}


def tables(outcome: Outcome) -> Iterator[Event]:
    """The verdict in a sentence, then the figures as tables."""
    figures, classes = outcome.figures(), outcome.test.classes
    test, choice = figures["test"], figures["choice"]
    if test["accuracy"] is not None:
        low, high = test["interval"]
        at = "" if choice["C"] is None else f", C = {choice['C']:.3g}"
        yield Note(
            f"Accuracy {test['accuracy']:.4f} on {test['n']} test images (95 % interval {low:.4f} to {high:.4f}); "
            f"{choice['head']} on {choice['backbone']}, layer {choice['layer']}{at}."
        )
    rows = [(row["name"], row["n"], row["recall"], row["precision"]) for row in test["per_class"]]
    yield Table("per_class", "Per class", ("class", "n", "recall", "precision"), rows)
    counts = [(f"{k} {name}", *row) for k, (name, row) in enumerate(zip(classes, figures["confusion"], strict=True))]
    title = "Confusion: rows true, columns predicted, by number"
    columns = ("true", *map(str, range(len(classes))))
    yield Table("confusion", title, columns, counts, shown=len(classes) <= CLASSES_SHOWN)
    for name, title in (
        ("curve_C", "Cross-validation on train"),
        ("curve_layer", "Layers, left-out accuracy on train"),
        ("curve_epoch", "Fine-tuning"),
    ):
        points = outcome.chosen.get(name, [])
        if points:
            yield Table(name, title, tuple(points[0]), [tuple(point.values()) for point in points])


def images(outcome: Outcome) -> Iterator[Event]:
    """The figures as images; a sentence instead where matplotlib is not installed."""
    try:
        yield from _drawn(outcome)
    except MissingExtra as error:
        yield Note(f"{error} No figures were drawn.")


def _drawn(outcome: Outcome) -> Iterator[Event]:
    from vitrail.plots import confusion

    figures, classes = outcome.figures(), outcome.test.classes
    matrix = np.array(figures["confusion"])
    yield Plot("confusion", "Confusion matrix of the test part", confusion(matrix, classes))
    yield from _curves(outcome.chosen)
    yield from _mistakes(outcome)


def _curves(chosen: dict[str, Any]) -> Iterator[Event]:
    from vitrail.plots import Axis, Line, curve

    path = chosen["curve_C"]
    if len(path) > 1:
        Cs, means, spreads = ([point[key] for point in path] for key in ("C", "accuracy", "spread"))
        line = Line(Cs, means, spread=spreads)
        axis = Axis("C", "cross-validated accuracy", log_x=True)
        best = chosen["choice"]["C"]
        marks = {} if best is None else {f"chosen C = {best:.3g}": best}
        yield Plot("curve_C", "Accuracy against C", curve([line], axis, marks=marks))
    points = chosen["curve_layer"]
    if points:
        line = Line([float(place) for place in range(len(points))], [point["accuracy"] for point in points])
        axis = Axis("layer", "left-out accuracy", x_names=_layer_names(points))
        yield Plot("curve_layer", "Accuracy by layer, least squares, one left out", curve([line], axis))
    epochs = chosen.get("curve_epoch", [])
    if epochs:
        line = Line([point["epoch"] for point in epochs], [point["loss"] for point in epochs])
        yield Plot("curve_epoch", "Loss while fine-tuning", curve([line], Axis("epoch", "loss on train")))


def _layer_names(points: list[dict[str, Any]]) -> list[str]:
    """Names short enough to stand under a curve."""
    several = len({point["backbone"] for point in points}) > 1
    names = ["all joined" if "+" in point["layer"] else point["layer"] for point in points]
    return [f"{p['backbone']}: {name}" for p, name in zip(points, names, strict=True)] if several else names


def _mistakes(outcome: Outcome) -> Iterator[Event]:
    from vitrail.formatting import percent
    from vitrail.plots import contact_sheet, load_thumbnail

    odds, predicted = outcome.probabilities, outcome.predicted
    labels, classes = outcome.test.labels, outcome.test.classes
    wrong = np.flatnonzero(predicted != labels)
    worst = wrong[np.argsort(-odds[wrong, predicted[wrong]], kind="stable")][:MISTAKES_SHOWN]
    if not len(worst):
        return
    captions = [
        f"{classes[labels[i]]} → {classes[predicted[i]]} {percent(float(odds[i, predicted[i]]))}" for i in worst
    ]
    rows = [
        (display_name(outcome.test.files[i]), classes[labels[i]], classes[predicted[i]], float(odds[i, predicted[i]]))
        for i in worst
    ]
    yield Table(
        "mistakes", "The most confident mistakes", ("file", "true", "predicted", "probability"), rows, shown=False
    )
    sheet = contact_sheet([load_thumbnail(outcome.test.files[i]) for i in worst], captions)
    yield Plot("mistakes", "The most confident mistakes: true → predicted", sheet)


def model_card(name: str, figures: dict[str, Any]) -> str:
    """Markdown with the hub's YAML head."""
    test, head = figures["test"], figures["choice"]["head"]
    figure = "not measured" if test["accuracy"] is None else f"{test['accuracy']:.4f} on {test['n']} images"
    what = "A fine-tuned network" if head == "fine-tune" else f"A linear {head} on pretrained features"
    return (
        "---\nlibrary_name: vitrail\ntags:\n- image-classification\n---\n\n"
        f"# {name}\n\n{what}. Test accuracy: {figure}.\n\n"
        "Use: `vitrail predict RUN IMAGE`, or in Python `vitrail.load(RUN)`.\n"
    )
