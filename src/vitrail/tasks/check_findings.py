"""What each part of a check says: in sentences, as a table, and as a contact sheet."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from vitrail.dataset_check import DatasetCheck
from vitrail.dataset_check.shortcuts import THRESHOLD
from vitrail.datasets.dataset import UNKNOWN, Dataset
from vitrail.errors import BadImage
from vitrail.events import Plot, Table
from vitrail.formatting import count, display_name, percent
from vitrail.plots import contact_sheet, load_thumbnail
from vitrail.unique_names import distinct_names

TILES = 24  # images on a contact sheet
KINDS = {
    "unlike-all": "far from all others",
    "unlike-class": "far from its class",
    "dark": "nearly black",
    "extreme-shape": "extreme shape",
    "border": "mostly plain edges",
}
"""Kinds of odd images as captions say them, where the name is no word."""


@dataclass(frozen=True)
class Finding:
    """What one part of a check says."""

    title: str
    sentences: Sequence[str]
    table: Table
    plots: Sequence[Plot] = field(default=(), repr=False)


class Images:
    """What is known of the images of a check, by their files."""

    def __init__(self, check: DatasetCheck, data: Dataset) -> None:
        self.files, self.classes = check.files, data.classes
        self.has_parts = any(data.parts)
        self.parts = dict(zip(data.files, data.parts, strict=True))
        self._labels = dict(zip(data.files, data.labels.tolist(), strict=True))

    def class_of(self, file: Path) -> str:
        """Its class; empty: not known."""
        label = self._labels[file]
        return "" if label == UNKNOWN else self.classes[label]

    @cached_property
    def names(self) -> dict[Path, str]:
        """Of each file as much of its path as tells it from all others."""
        return dict(zip(self.files, distinct_names(list(map(display_name, self.files))), strict=True))


def findings_of(check: DatasetCheck, images: Images) -> Iterator[Finding]:
    """Those that the data allow, what is most urgent first."""
    if images.has_parts:
        yield _leaks(check, images)
    yield _duplicates(check, images)
    if images.classes:
        yield _labels(check, images)
    yield _odd_images(check, images)
    if images.classes:
        yield from (_shortcuts(check), _classes(check), _curve(check))


def _leaks(check: DatasetCheck, images: Images) -> Finding:
    rows = [(display_name(leak.train), display_name(leak.test), *leak.parts, leak.score) for leak in check.leaks]
    sentences = [
        f"{count(len(rows), 'held-out image has', 'held-out images have')} a copy among the images that are learned "
        "from: an accuracy counts them as right without anything having been learned."
        if rows
        else "No held-out image has a copy among the images that are learned from."
    ]
    pairs = [(leak.train, leak.test) for leak in check.leaks]
    captions = [[f"{images.names[file]} ({images.parts[file]})" for file in pair] for pair in pairs]
    plots = _pairs("leaks", "Copies across parts, side by side", pairs, captions)
    table = Table(
        "leaks", "Copies across parts", ("train", "test", "part", "held-out part", "score"), rows, prominent=False
    )
    return Finding("Copies across parts", sentences, table, plots)


def _duplicates(check: DatasetCheck, images: Images) -> Finding:
    rows = [
        (number, display_name(file), images.class_of(file), images.parts[file], group.kind, group.score)
        for number, group in enumerate(check.duplicates, 1)
        for file in group.files
    ]
    mixed = sum(len({images.class_of(file) for file in group.files} - {""}) > 1 for group in check.duplicates)
    copies = check.copies
    sentences = [f"{count(len(check.duplicates), 'image is', 'images are')} there more than once."]
    if mixed:
        sentences.append(f"{count(mixed, 'of them is', 'of them are')} in more than one class.")
    if copies.undefined:
        sentences.append(f"The threshold is not measured on these data: {copies.undefined}.")
    else:
        sentences.append(
            f"Copies differ in their details by at most {copies.threshold:.2f} (0: equal; 1: unrelated). Different "
            f"images here differ by {copies.baseline['median']:.2f} from their nearest (median), the nearest two by "
            f"{copies.baseline['least']:.2f}; {_few(copies.expected_false_alarms or 0)} of all are expected to be "
            "below the threshold by chance."
        )
    pairs = [(group.files[0], group.files[-1]) for group in check.duplicates]
    captions = [
        [_name_and_class(images, first), _name_and_class(images, last) + _and_more(len(group.files) - 2)]
        for (first, last), group in zip(pairs, check.duplicates, strict=True)
    ]
    columns = ("group", "file", "class", "part", "kind", "score")
    table = Table("duplicates", "Images that are there more than once", columns, rows, prominent=False)
    return Finding("Copies", sentences, table, _pairs("duplicates", "Copies, side by side", pairs, captions))


def _labels(check: DatasetCheck, images: Images) -> Finding:
    issues = check.label_issues
    rows = [
        (
            display_name(check.files[issue.row]),
            check.classes[issue.label],
            check.classes[issue.suggested],
            issue.score,
            issue.probability,
            issue.suggested_probability,
        )
        for issue in issues.issues
    ]
    if issues.expected is None or issues.interval is None:
        sentences = [f"Wrong labels cannot be found: {issues.undefined}."]
    else:
        low, high = (round(value) for value in issues.interval)
        sentences = [
            f"About {round(issues.expected):,} labels are wrong (95 % interval {low:,} to {high:,}), by a classifier "
            f"that never saw the image whose label it doubts. The first {len(rows):,} are listed, the least plausible "
            "first."
        ]
    captions = [
        f"{images.names[check.files[i.row]]} {check.classes[i.label]} → {check.classes[i.suggested]}"
        for i in issues.issues
    ]
    columns = ("file", "label", "suggested", "score", "probability", "probability of suggested")
    table = Table("label_issues", "Labels that may be wrong", columns, rows, prominent=False)
    files = [check.files[issue.row] for issue in issues.issues]
    return Finding(
        "Labels",
        sentences,
        table,
        _sheet("label_issues", "Labels that may be wrong: label → suggested", files, captions),
    )


def _odd_images(check: DatasetCheck, images: Images) -> Finding:
    odd = check.outliers.outliers
    files = [check.files[each.row] for each in odd]
    rows = [
        (display_name(file), images.class_of(file), each.kind, each.score)
        for file, each in zip(files, odd, strict=True)
    ]
    sentences = [f"{count(len(set(files)), 'image is', 'images are')} odd."]
    if check.outliers.undefined:
        sentences.append(f"Images unlike all others cannot be found: {check.outliers.undefined}.")
    else:
        sentences.append("Of ordinary images one is expected to be called unlike all others.")
    sentences += [
        f"{count(n, 'image is', 'images are')} {KINDS.get(kind, kind)}: so many are how these data are, and not listed."
        for kind, n in check.outliers.common.items()
    ]
    captions = [
        f"{images.names[file]} {KINDS.get(each.kind, each.kind)}" for file, each in zip(files, odd, strict=True)
    ]
    table = Table("outliers", "Odd images", ("file", "class", "kind", "score"), rows, prominent=False)
    return Finding("Odd images", sentences, table, _sheet("outliers", "Odd images, the oddest first", files, captions))


def _shortcuts(check: DatasetCheck) -> Finding:
    rows = [
        (each.property, check.classes[each.label], each.accuracy, each.chance, each.accuracy_all, each.chance_all)
        for each in check.measured_shortcuts
    ]
    if "shortcuts" in check.undefined:
        sentences = [f"Shortcuts cannot be found: {check.undefined['shortcuts']}."]
    elif check.shortcuts:
        sentences = [
            f"The {each.property} alone tells {check.classes[each.label]} from all other classes in "
            f"{percent(each.accuracy)} (chance 50.0 %): a classifier may learn that instead of what the images show."
            for each in check.shortcuts
        ]
    else:
        sentences = [
            f"No property is certain to tell a class from all others in {percent(THRESHOLD)} of the images and more "
            "(95 % confidence)."
        ]
    columns = ("property", "class", "balanced accuracy", "chance", "accuracy, all classes", "chance, all classes")
    table = Table(
        "shortcuts", "What simple properties tell, without a look at the image", columns, rows, prominent=False
    )
    return Finding("Shortcuts", sentences, table)


def _classes(check: DatasetCheck) -> Finding:
    balance = check.balance
    assert balance is not None  # there are classes
    sentences = []
    if balance.ratio is not None:
        sentences.append(f"The largest class has {balance.ratio:.3g} times as many images as the smallest.")
    if balance.small:
        names = ", ".join(check.classes[label] for label in balance.small[:5])
        sentences.append(f"Too small to be tested: {names}{_and_more(len(balance.small) - 5)}.")
    sentences += [
        f"{check.classes[pair.first]} and {check.classes[pair.second]} look alike: "
        f"{percent(pair.overlap)} of their images are nearer to the other class (no difference: 50.0 %)."
        for pair in check.similar[:3]
    ]
    rows = [(name, int(n)) for name, n in zip(check.classes, balance.counts, strict=True)]
    return Finding(
        "Classes", sentences, Table("classes", "Images in each class", ("class", "images"), rows, prominent=False)
    )


def _curve(check: DatasetCheck) -> Finding:
    curve = check.curve
    rows = [
        (point.images, point.accuracy, point.low, point.high, "predicted" if point.predicted else "measured")
        for point in curve.points
    ]
    if curve.gain is None:
        sentences = [f"There is no learning curve: {curve.undefined}."]
    else:
        gain, low, high = (100 * value for value in curve.gain)
        sentences = [
            f"Twice as many images would bring {gain:+.1f} points of accuracy "
            f"(95 % interval {low:+.1f} to {high:+.1f})."
        ]
    columns = ("images", "accuracy", "low", "high", "kind")
    return Finding(
        "Number of images",
        sentences,
        Table("learning_curve", "Accuracy against the number of images", columns, rows, prominent=False),
    )


def _pairs(
    name: str, caption: str, pairs: Sequence[tuple[Path, Path]], captions: Sequence[Sequence[str]]
) -> list[Plot]:
    few = slice(TILES // 2)
    return _sheet(
        name, caption, [file for pair in pairs[few] for file in pair], [text for pair in captions[few] for text in pair]
    )


def _sheet(name: str, caption: str, files: Sequence[Path], captions: Sequence[str]) -> list[Plot]:
    """A contact sheet of the first images that can still be read."""
    tiles = []
    for file, text in zip(files[:TILES], captions, strict=False):
        try:
            tiles.append((load_thumbnail(file), text))
        except BadImage:
            continue
    if not tiles:
        return []
    images, texts = zip(*tiles, strict=True)
    more = f" (the first {len(tiles)} of {len(files)})" if len(files) > len(tiles) else ""
    return [Plot(name, caption + more, contact_sheet(images, texts))]


def _name_and_class(images: Images, file: Path) -> str:
    return " ".join(filter(None, (images.names[file], images.class_of(file), images.parts[file])))


def _few(expected: float) -> str:
    return "fewer than 0.1" if expected < 0.1 else f"{expected:.1f}"


def _and_more(n: int) -> str:
    return f" and {n:,} more" if n > 0 else ""
