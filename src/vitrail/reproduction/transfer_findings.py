"""What the first lab's results come to, in sentences that follow from them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from vitrail.formatting import percent
from vitrail.reproduction.plan import SECONDS, Comparison, Findings, Values

REPORTED = {"vgg16": 0.888107, "alexnet": 0.868342}
"""The report's accuracies on the test part of 15-Scene."""

REPORTED_SECONDS = {"vgg16": 89.0}
GREY = "grey"  # the folder of copies without colour; each is called after its original, with one more ending
FLAT = 0.01  # of accuracy: by less, a curve over C is called flat
CLEAR = 0.005  # of accuracy: by more, one is called better than another

Results = Mapping[str, Values]


def parameter_findings(results: Results) -> Findings:
    """Of a network's layers: how many parameters are where."""
    (network,) = results.values()
    layers = [layer for layer in network["layers"] if layer["parameters"]]
    dense = [layer for layer in layers if len(layer["shape"]) == 2]
    total, inside = network["parameters"], sum(layer["parameters"] for layer in dense)
    largest, last = max(layers, key=lambda layer: layer["parameters"]), layers[-1]
    most = "most" if 2 * inside > total else "the smaller part"
    return Findings(
        [
            f"{inside:,} of {total:,} parameters, {percent(inside / total)}, are in the {len(dense)} fully connected "
            f"layers: {most} of them; {largest['name']} alone holds {percent(largest['share'])}.",
            f"The output layer, {last['name']}, gives {last['shape'][-1]:,} numbers for an image: "
            "the logits of ImageNet's classes, of which softmax makes probabilities.",
        ],
        [
            Comparison("parameters", total),
            Comparison("parameters in convolutions", total - inside),
            *(Comparison(f"parameters of {layer['name']}", layer["parameters"]) for layer in dense),
        ],
    )


def classify_findings(results: Results, truth: Mapping[str, int]) -> Findings:
    """Of images with five guesses each: how often the class is the first, and among all."""
    sentences, rows = [], []
    for result in results.values():
        name, images = result["backbone"][0]["name"], result["images"]
        first, five = right(images, truth, 1), right(images, truth, 5)
        if first is None or five is None:
            sure = sum(image["top"][0]["probability"] > 0.5 for image in images)
            sentences.append(f"{name} gives {sure} of {len(images)} images a name that it is more than 50 % sure of.")
            continue
        sentences.append(
            f"{name}: of {len(images)} images the first guess is right for {percent(first)}, "
            f"one of five for {percent(five)}."
        )
        rows += [Comparison(f"{name}, first guess right", first), Comparison(f"{name}, one of five right", five)]
    return Findings(sentences, rows)


def right(images: Sequence[Mapping[str, Any]], truth: Mapping[str, int], guesses: int) -> float | None:
    """The share of images whose class is among the first guesses; None where no image's class is known."""
    known = [(truth[name], image["top"][:guesses]) for image in images if (name := _name(image)) in truth]
    hits = sum(any(guess["index"] == index for guess in top) for index, top in known)
    return hits / len(known) if known else None


def _name(image: Mapping[str, Any]) -> str:
    """The file's name; of a grey copy, that of its original."""
    path = Path(image["file"])
    return path.stem if path.parent.name == GREY else path.name


def layer_findings(results: Results) -> Findings:
    """Of layers tried alone and together, by left-out training images."""
    (result,) = results.values()
    curve, test = result["curve_layer"], result["test"]
    alone = [point for point in curve if "+" not in point["layer"]]
    best, worst = (choose(alone, key=lambda point: point["accuracy"]) for choose in (max, min))
    sentences = [
        f"Of single layers of {result['choice']['backbone']}, {best['layer']} gives the most "
        f"({percent(best['accuracy'])} of left-out training images right): {_depth(best, alone[-1])}; "
        f"{worst['layer']} gives the least ({percent(worst['accuracy'])}).",
        f"Chosen was {result['choice']['layer']}; on the test part that comes to {percent(test['accuracy'])}.",
    ]
    rows = [Comparison(f"left-out accuracy, {point['layer']}", point["accuracy"]) for point in curve]
    return Findings(sentences, [*rows, Comparison("test accuracy, layers as chosen", test["accuracy"])])


def _depth(best: Mapping[str, Any], deepest: Mapping[str, Any]) -> str:
    if best is deepest:
        return "it is the deepest"
    return f"the deepest one, {deepest['layer']}, gives {percent(deepest['accuracy'])}"


def grayscale_findings(results: Results, truth: Mapping[str, int]) -> Findings:
    """Of the same images in colour and in grey, three channels alike: how often the name stays."""
    if len(results) < 2:
        return Findings(())
    colour, grey = ({_name(image): image for image in result["images"]} for result in results.values())
    both = [name for name in colour if name in grey]
    same = sum(colour[name]["top"][0]["index"] == grey[name]["top"][0]["index"] for name in both)
    sentences = [
        f"A grey image is shown as three equal channels. Without its colours {same} of {len(both)} images keep "
        "the name that they had with them."
    ]
    before, after = (right([each[name] for name in both], truth, 1) for each in (colour, grey))
    if before is None or after is None:
        return Findings(sentences, [Comparison("share of names that stay", same / max(1, len(both)))])
    sentences.append(
        f"The first guess is right for {percent(after)} of the grey ones and {percent(before)} of the coloured ones"
        f"{_so(before, after)}."
    )
    return Findings(
        sentences, [Comparison("first guess right, in colour", before), Comparison("first guess right, in grey", after)]
    )


def _so(before: float, after: float) -> str:
    if before - after > CLEAR:
        return (
            ": grey costs, and does not make the network useless" if after > before / 2 else ": grey costs most of it"
        )
    return ": grey costs nothing here"


def svm_findings(results: Results) -> Findings:
    """Of linear SVMs on several networks' features: accuracy, time, and whether C matters."""
    sentences, rows = [], []
    for result in results.values():
        name, test = result["choice"]["backbone"], result["test"]
        rows.append(
            Comparison(f"{name} {result['choice']['layer']} + SVM, test accuracy", test["accuracy"], REPORTED.get(name))
        )
        rows.append(Comparison(f"{name}, time", result["seconds"]["total"], REPORTED_SECONDS.get(name), SECONDS))
        sentences.append(flatness(name, result["curve_C"]))
        if name in REPORTED:
            sentences.append(beside(name, test, REPORTED[name]))
    best = max(results.values(), key=lambda result: result["test"]["accuracy"])
    gain = best["test"]["accuracy"] - REPORTED["vgg16"]
    more = f"{abs(gain):.3f} {'more' if gain > 0 else 'less'} than the report's VGG16"
    sentences.append(f"The best here, {best['choice']['backbone']}, gets {percent(best['test']['accuracy'])}: {more}.")
    return Findings(sentences, rows)


def flatness(name: str, curve: Sequence[Mapping[str, float]]) -> str:
    """Whether accuracy still moves where C is 1 or more, as the report says that it does not."""
    upper = [point["accuracy"] for point in curve if point["C"] >= 1]
    least, best = min(curve, key=lambda point: point["C"]), max(curve, key=lambda point: point["accuracy"])
    if not upper:
        return f"{name}: no C of 1 or more was tried."
    width = max(upper) - min(upper)
    verdict = (
        f"is flat for C ≥ 1, as in the report (it moves by {width:.4f})"
        if width < FLAT
        else f"is not flat for C ≥ 1, unlike in the report (it moves by {width:.4f})"
    )
    return (
        f"{name}: the curve {verdict}; at C = {least['C']:g} it stands at {percent(least['accuracy'])}, "
        f"its best is {percent(best['accuracy'])} at C = {best['C']:g}."
    )


def beside(name: str, test: Mapping[str, Any], reported: float) -> str:
    """Whether the report's figure is one that this test part may give by chance."""
    low, high = test["interval"]
    within = "within" if low <= reported <= high else "outside"
    return (
        f"{name}: the report's {reported:g} lies {within} the 95 % interval of what was measured, "
        f"{low:.3f} to {high:.3f}."
    )


def head_findings(results: Results, known: Sequence[str]) -> Findings:
    """Of the same network with other heads, or trained further: which is better by how much."""
    scenes = [row["name"] for row in next(iter(results.values()))["test"]["per_class"]]
    sentences, rows = [cannot_name(scenes, known)], []
    for result in results.values():
        what = f"{result['choice']['backbone']}, {result['choice']['head']}"
        rows.append(Comparison(f"{what}: test accuracy", result["test"]["accuracy"]))
        rows.append(Comparison(f"{what}: time", result["seconds"]["total"], None, SECONDS))
        rival = _svm_of(results, result["choice"]["backbone"])
        if result["choice"]["head"] != "svm" and rival is not None:
            sentences.append(against(result, rival))
    return Findings(sentences, rows)


def cannot_name(scenes: Sequence[str], known: Sequence[str]) -> str:
    """How many of the scenes are classes of a network, and what follows for the comparison."""
    words = {synonym.strip().casefold() for name in known for synonym in name.split(",")}
    own = [scene for scene in scenes if scene.casefold() in words]
    if len(own) == len(scenes):
        return f"All {len(scenes)} scenes are classes of the network itself, which can classify them as it is."
    which = f" ({', '.join(own)})" if own else ""
    return (
        f"{len(own)} of the {len(scenes)} scenes are classes of the network itself{which}, so it cannot classify "
        "them alone: its last layer was trained anew (logistic), or the network was fine-tuned (fine-tune)."
    )


def _svm_of(results: Results, backbone: str) -> Values | None:
    found = (
        each for each in results.values() if each["choice"]["head"] == "svm" and each["choice"]["backbone"] == backbone
    )
    return next(found, None)


def against(other: Values, svm: Values) -> str:
    """A head, or a network trained further, against the SVM on the same network."""
    gain = other["test"]["accuracy"] - svm["test"]["accuracy"]
    verdict = "about as good as" if abs(gain) <= CLEAR else ("better than" if gain > 0 else "worse than")
    return (
        f"{other['choice']['backbone']} with {other['choice']['head']} is {verdict} the SVM on its features: "
        f"{percent(other['test']['accuracy'])} against {percent(svm['test']['accuracy'])}."
    )
