"""What a reproduction shows of its steps: on the page, and in result.json."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from typing import Any

from vitrail.report import chapters as page
from vitrail.report.contents import EmbeddedImage, ReportTable, load_contents
from vitrail.report.reduced import reduced
from vitrail.report.values import format_value
from vitrail.reproduction.plan import SECONDS, Chapter, Comparison, Findings, Section, Step
from vitrail.reproduction.steps import Steps

COLUMNS = ("", "here", "the report")


def page_chapter(chapter: Chapter, steps: Steps) -> page.Chapter:
    """The chapter as the page shows it."""
    return page.Chapter(chapter.title, [_section(section, steps) for section in chapter.sections], chapter.note)


def chapter_values(chapter: Chapter, steps: Steps) -> dict[str, Any]:
    """The chapter as `result.json` has it; what measures the machine stands under `seconds`."""
    return {"name": chapter.name, "sections": [_values(section, steps) for section in chapter.sections]}


def _findings(section: Section, steps: Steps) -> Findings:
    found = {step.name: steps.results[step.name] for step in section.steps if step.name in steps.results}
    return section.summarise(found) if found else Findings(())


def _section(section: Section, steps: Steps) -> page.Section:
    findings = _findings(section, steps)
    return page.Section(
        section.title,
        findings.sentences,
        _table(findings.rows),
        [figure for step in section.steps for figure in _images(step, steps)],
        _missing(section, steps),
        [f"steps/{step.name}" for step in section.steps if step.name in steps.results],
        multiples=True,
    )


def _table(compared: Sequence[Comparison]) -> ReportTable:
    """The values; with a column for the report's where it gives any of them, or else one for each of several runs."""
    if any(row.report is not None for row in compared):
        rows = [(row.what, _cell(row, row.measured), _cell(row, row.report)) for row in compared]
        return ReportTable("", COLUMNS, rows, len(rows))
    cells: dict[str, dict[str, str]] = {}
    for row in compared:
        run, _, what = row.what.rpartition(": ")
        cells.setdefault(what, {})[run] = _cell(row, row.measured)
    runs = list(dict.fromkeys(run for values in cells.values() for run in values))
    wide = [(what, *(values.get(run, "") for run in runs)) for what, values in cells.items()]
    return ReportTable("", ("", *(run or "here" for run in runs)), wide, len(wide))


def _cell(row: Comparison, value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, int):
        return f"{value:,}"
    return format_value("seconds" if row.unit == SECONDS else "", value)


def _missing(section: Section, steps: Steps) -> list[str]:
    """Each reason once, however many steps it prevented."""
    reasons = (steps.failed[step.name] for step in section.steps if step.name in steps.failed)
    return list(dict.fromkeys(reasons))


def _images(step: Step, steps: Steps) -> Iterator[EmbeddedImage]:
    if step.name not in steps.results or not step.shows:
        return
    images = load_contents(steps.folder(step.name)).images
    for name in step.shows:
        for figure in images:
            if fnmatchcase(figure.name, name):
                yield reduced(EmbeddedImage(f"{step.name}: {figure.caption}", figure.source, figure.name))


def _values(section: Section, steps: Steps) -> dict[str, Any]:
    findings = _findings(section, steps)
    return {
        "title": section.title,
        "findings": list(findings.sentences),
        "values": [_entry(row) for row in findings.rows],
        "missing": _missing(section, steps),
        "run": {step.name: steps.results[step.name].get("run") for step in section.steps if step.name in steps.results},
    }


def _entry(row: Comparison) -> dict[str, Any]:
    measured = "seconds" if row.unit == SECONDS else "measured"
    return {"metric": row.what, measured: row.measured, "report": row.report}
