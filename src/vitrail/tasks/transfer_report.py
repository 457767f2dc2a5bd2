"""Summary, tables and plots of `transfer`, and the files of the classifier."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from vitrail.errors import MissingExtra
from vitrail.events import Event, Note, Plot, Summary, Table
from vitrail.formatting import count, duration, interval, percent
from vitrail.image_files import display_name
from vitrail.transfer.evaluation import Evaluation, mistake_lines
from vitrail.transfer.pipeline import FitResult

MISTAKES_SHOWN = 24  # images
HEADS = {"svm": "linear SVM", "logistic": "logistic regression", "fine-tune": "fine-tuned network"}
CLASSES_SHOWN = 20  # number of classes up to which the table per class is printed


def report(fit: FitResult, seconds: Mapping[str, float]) -> Iterator[Event]:
    """All events but the result.

    Args:
        seconds: `features`, `fit` and `total`.
    """
    evaluation = fit.evaluation
    yield from _tables(evaluation)
    try:
        yield from _plots(evaluation)
    except MissingExtra as error:
        yield Note(f"{error} No plots were drawn.", "missing-extra")
    yield from fit.weights
    yield _summary(evaluation, seconds)


def _summary(evaluation: Evaluation, seconds: Mapping[str, float]) -> Summary:
    test, choice = evaluation.metrics()["test"], evaluation.selection["choice"]
    lines = [("data", evaluation.card.line())]
    if test["copies"]:
        lines.append(("copies", _copies(test)))
    if test["accuracy"] is None:
        lines.append(("accuracy", "not measured, because there is no test image"))
    else:
        bounds = interval(*test["interval"])
        lines += [
            ("accuracy", f"{percent(test['accuracy'])} (95 % interval {bounds}, {count(test['n'], 'image')})"),
            ("chance level", f"{percent(evaluation.chance_level)} (always the most frequent class)"),
            *mistake_lines(evaluation),
            ("calibration", f"expected calibration error {percent(test['ece'])}"),
        ]
    C = "" if choice["C"] is None else f", C = {choice['C']:.3g}"
    lines += [
        ("classifier", f"{HEADS[choice['head']]} on {choice['backbone']}, {choice['layer'].replace('+', ' + ')}{C}"),
        (
            "time",
            f"{duration(seconds['total'])}: features {duration(seconds['features'])}, fit {duration(seconds['fit'])}",
        ),
    ]
    steps = ["vitrail predict {run} IMAGE...", "vitrail explain IMAGE --backbone {run}", "vitrail report {run}"]
    return Summary(lines, steps)


def _copies(test: Mapping[str, Any]) -> str:
    """What is to be known before the accuracy: how much of it is remembered."""
    text = f"{count(test['copies'], 'test image is', 'test images are')} among the training images too"
    if test["near_copies"]:
        text += f", {'all' if test['near_copies'] == test['copies'] else format(test['near_copies'], ',')} altered"
    rest = test["without_copies"]
    if not rest["n"]:
        return f"{text}: all, so that the accuracy says nothing of new images"
    bounds = interval(*rest["interval"])
    without = f"{percent(rest['accuracy'])} (95 % interval {bounds}, {count(rest['n'], 'image')})"
    return f"{text}; accuracy without them {without}"


def _tables(evaluation: Evaluation) -> Iterator[Event]:
    metrics, classes = evaluation.metrics(), evaluation.test.classes
    per_class = sorted(metrics["test"]["per_class"], key=lambda row: (row["recall"] is None, row["recall"]))
    rows = [(row["name"], row["n"], row["recall"], row["precision"]) for row in per_class]
    shown = len(classes) <= CLASSES_SHOWN
    yield Table("per_class", "Per class, worst first", ("class", "n", "recall", "precision"), rows, prominent=shown)
    counts = [(name, *row) for name, row in zip(classes, metrics["confusion"], strict=True)]
    yield Table("confusion", "Confusion: rows true, columns predicted", ("true", *classes), counts, prominent=False)
    for name, title in (
        ("curve_C", "Cross-validation on the training part"),
        ("curve_layer", "Leave-one-out accuracy of layers on the training part"),
        ("curve_epoch", "Fine-tuning"),
    ):
        points = evaluation.selection.get(name, [])
        if points:
            yield Table(name, title, tuple(points[0]), [tuple(point.values()) for point in points], prominent=False)


def _plots(evaluation: Evaluation) -> Iterator[Event]:
    from vitrail.plots import confusion

    matrix = np.array(evaluation.metrics()["confusion"])
    yield Plot("confusion", "Confusion matrix of the test part", confusion(matrix, evaluation.test.classes))
    yield from _curves(evaluation.selection)
    yield from _mistakes(evaluation)


def _curves(selection: Mapping[str, Any]) -> Iterator[Event]:
    from vitrail.plots import Axis, Line, curve

    path = selection["curve_C"]
    if len(path) > 1:
        Cs, means, spreads = ([point[key] for point in path] for key in ("C", "accuracy", "spread"))
        line = Line(Cs, means, spread=spreads)
        axis = Axis("C", "cross-validated accuracy", log_x=True, percent_y=True)
        best = selection["choice"]["C"]
        marks = {} if best is None else {f"chosen C = {best:.3g}": best}
        yield Plot("curve_C", "Accuracy against C", curve([line], axis, marks=marks))
    points = selection["curve_layer"]
    if points:
        line = Line([float(place) for place in range(len(points))], [point["accuracy"] for point in points])
        axis = Axis("layer", "leave-one-out accuracy", percent_y=True, x_names=_layer_names(points))
        yield Plot("curve_layer", "Leave-one-out accuracy by layer (least squares)", curve([line], axis))
    epochs = selection.get("curve_epoch", [])
    if epochs:
        line = Line([point["epoch"] for point in epochs], [point["loss"] for point in epochs])
        yield Plot("curve_epoch", "Training loss of fine-tuning", curve([line], Axis("epoch", "training loss")))


def _layer_names(points: Sequence[Mapping[str, Any]]) -> list[str]:
    """Names short enough for the axis."""
    several = len({point["backbone"] for point in points}) > 1
    names = ["all layers" if "+" in point["layer"] else point["layer"] for point in points]
    return [f"{p['backbone']}: {name}" for p, name in zip(points, names, strict=True)] if several else names


def _mistakes(evaluation: Evaluation) -> Iterator[Event]:
    from vitrail.plots import contact_sheet, load_tile

    probabilities, predicted = evaluation.probabilities, evaluation.predicted
    labels, classes, files = evaluation.test.labels, evaluation.test.classes, evaluation.test.files
    worst = evaluation.confident_mistakes(MISTAKES_SHOWN)
    if not len(worst):
        return
    rows = [
        (display_name(files[i]), classes[labels[i]], classes[predicted[i]], float(probabilities[i, predicted[i]]))
        for i in worst
    ]
    columns = ("file", "true", "predicted", "probability")
    yield Table("mistakes", "Most confident mistakes", columns, rows, prominent=False)
    captions = [f"{true} → {guess} {percent(probability)}" for _, true, guess, probability in rows]
    sheet = contact_sheet([load_tile(files[i]) for i in worst], captions)
    yield Plot("mistakes", "Most confident mistakes: true → predicted", sheet)
