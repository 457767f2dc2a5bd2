"""Summary, tables, contact sheets and the page of `check`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from vitrail.dataset_check import DatasetCheck, list_suspects
from vitrail.datasets.data_card import DataCard
from vitrail.datasets.dataset import Dataset
from vitrail.errors import MissingExtra
from vitrail.events import Attachment, Event, Note, Plot, Summary, Table
from vitrail.formatting import count, display_name, duration, percent
from vitrail.tasks.check_findings import Finding, Images, findings_of

ROWS = 50  # of a table on the page
SUSPECTS = "tables/suspects.csv"


def report(check: DatasetCheck, data: Dataset, card: DataCard, *, train: str, seconds: float) -> Iterator[Event]:
    """All events but the result.

    Args:
        data: what was checked.
        card: of the data.
        train: the command that learns from these data, with the same network.
    """
    images = Images(check, data)
    suspects = list_suspects(check, images.parts)
    rows = [(display_name(each.file), each.kind, each.score, each.suggestion) for each in suspects]
    yield Table("suspects", "Images to look at", ("file", "kind", "score", "suggestion"), rows, prominent=False)
    findings = list(findings_of(check, images))
    for finding in findings:
        yield finding.table
        yield from finding.plots
    drawn = {plot.name: [plot] for finding in findings for plot in finding.plots}
    has_page = False
    try:
        drawn["learning_curve"] = list(_curve(check))
        yield from drawn["learning_curve"]
        yield Attachment("", "check.html", _page(findings, drawn, card).encode())
        has_page = True
    except MissingExtra as error:
        yield Note(f"{error} The page was not written.", "missing-extra")
    look_at = len({each.file for each in suspects})
    where = "open check.html" if has_page else f"in {SUSPECTS}"
    lines = [
        *_lines(check, images, card),
        ("suspects", f"{count(look_at, 'image')} to look at: {where}" if look_at else "none"),
    ]
    yield Summary([*lines, ("time", duration(seconds))], list(_next_steps(check, train, look_at)))


def _curve(check: DatasetCheck) -> Iterator[Plot]:
    from vitrail.plots import Axis, Line, curve

    if not check.curve.points:
        return
    lines = []
    for name, points in (
        ("measured", [point for point in check.curve.points if not point.predicted]),
        ("predicted", [point for point in check.curve.points[-2:] if point.predicted]),
    ):
        spread = [(point.high - point.low) / 2 for point in points]
        lines.append(Line([point.images for point in points], [point.accuracy for point in points], name, spread))
    axis = Axis("number of images", "accuracy", percent_y=True)
    yield Plot("learning_curve", "Accuracy against the number of images, with 95 % intervals", curve(lines, axis))


def _page(findings: Sequence[Finding], drawn: Mapping[str, Sequence[Plot]], card: DataCard) -> str:
    from vitrail.report.chapters import Chapter, Section, render_chapters
    from vitrail.report.contents import ReportTable, embed_png

    chapters = []
    for finding in findings:
        table, plots = finding.table, drawn.get(finding.table.name, ())
        rows = [[_cell(value) for value in row] for row in table.rows[:ROWS]]
        images = [embed_png(plot.caption, plot.png, plot.name) for plot in plots]
        first = ReportTable(table.title, table.columns, rows, len(table.rows))
        section = Section("", (), first, images, folded=bool(images))
        chapters.append(Chapter(finding.title, [section], " ".join(finding.sentences)))
    name = display_name(Path(card.source).name) or card.source
    return render_chapters(chapters, title=f"Check of {name}", about=f"{card.line()}. Nothing was moved or changed.")


def _cell(value: object) -> object:
    return f"{value:.3g}" if isinstance(value, float) else value


def _lines(check: DatasetCheck, images: Images, card: DataCard) -> Iterator[tuple[str, str]]:
    yield "data", card.line()
    copies = sum(len(group.files) - 1 for group in check.duplicates)
    groups = count(len(check.duplicates), "group")
    yield "copies", f"{count(copies, 'image')} too many, in {groups}" if copies else "none found"
    if images.has_parts:
        yield "copies across parts", _leak_line(check)
    if images.classes:
        yield "wrong labels", _label_line(check)
    yield "odd images", _odd_line(check)
    if images.classes:
        yield "shortcuts", _shortcut_line(check)
    if check.similar:
        pair = check.similar[0]
        first, second = (display_name(check.classes[label]) for label in (pair.first, pair.second))
        yield "alike", f"{first} and {second}: {percent(pair.overlap)} of their images are nearer to the other"
    if check.accuracy is not None and check.chance is not None:
        yield "accuracy", f"{percent(check.accuracy)} on images left out in turn (chance level {percent(check.chance)})"
    if check.curve.gain is not None:
        gain, low, high = (100 * value for value in check.curve.gain)
        yield "twice as many", f"{gain:+.1f} points of accuracy (95 % interval {low:+.1f} to {high:+.1f})"


def _leak_line(check: DatasetCheck) -> str:
    if not check.leaks:
        return "none found"
    n = Counter(leak.parts for leak in check.leaks)
    return "; ".join(f"{images:,} of {held} are in {train} too" for (train, held), images in n.most_common())


def _label_line(check: DatasetCheck) -> str:
    issues = check.label_issues
    if issues.expected is None or issues.interval is None:
        return f"not known: {issues.undefined}"
    low, high = (round(value) for value in issues.interval)
    about = f"about {round(issues.expected):,} (95 % interval {low:,} to {high:,})"
    if not issues.issues:
        return about
    first = issues.issues[0]
    name = display_name(check.files[first.row].name)
    return f"{about}; first {name}: {check.classes[first.label]} or {check.classes[first.suggested]}?"


def _odd_line(check: DatasetCheck) -> str:
    kinds = Counter(each.kind for each in check.outliers.outliers)
    common = [f"{n:,} {kind} (usual here)" for kind, n in check.outliers.common.items()]
    return ", ".join([*(f"{n:,} {kind}" for kind, n in kinds.most_common()), *common]) or "none found"


def _shortcut_line(check: DatasetCheck) -> str:
    if "shortcuts" in check.undefined:
        return f"not known: {check.undefined['shortcuts']}"
    if not check.shortcuts:
        best = check.measured_shortcuts[0]
        return f"none is certain; {best.property} comes nearest: {percent(best.accuracy)}, at least {percent(best.low)}"
    best, *others = check.shortcuts
    more = f"; {', '.join(each.property for each in others)} too" if others else ""
    return (
        f"{best.property} alone tells {display_name(check.classes[best.label])} from the rest: "
        f"{percent(best.accuracy)} (chance 50.0 %){more}"
    )


def _next_steps(check: DatasetCheck, train: str, suspects: int) -> Iterator[str]:
    if len(check.classes) > 1:
        yield f"{train} --leave-out {{run}}/{SUSPECTS}" if suspects else train
    yield "vitrail report {run}"
