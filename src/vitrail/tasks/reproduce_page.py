"""What a reproduction shows of its parts: on the page, and in result.json."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from typing import Any

from vitrail.report import chapters as page
from vitrail.report.contents import EmbeddedImage, ReportTable, load_contents
from vitrail.report.values import format_value
from vitrail.tasks.reproduce_parts import Parts
from vitrail.tasks.reproduce_plan import SECONDS, Chapter, Compared, Part, Said, Section

COLUMNS = ("", "here", "the report")


def chapter_of(chapter: Chapter, parts: Parts) -> page.Chapter:
    """The chapter as the page shows it."""
    return page.Chapter(chapter.title, [_section(section, parts) for section in chapter.sections], chapter.note)


def figures_of(chapter: Chapter, parts: Parts) -> dict[str, Any]:
    """The chapter as `result.json` has it; what measures the machine stands under `seconds`."""
    return {"name": chapter.name, "sections": [_figures(section, parts) for section in chapter.sections]}


def _said(section: Section, parts: Parts) -> Said:
    found = {part.name: parts.results[part.name] for part in section.parts if part.name in parts.results}
    return section.say(found) if found else Said(())


def _section(section: Section, parts: Parts) -> page.Section:
    said = _said(section, parts)
    return page.Section(
        section.title,
        said.sentences,
        _sheet(said.rows),
        [figure for part in section.parts for figure in _images(part, parts)],
        _missing(section, parts),
        [f"parts/{part.name}" for part in section.parts if part.name in parts.results],
    )


def _sheet(compared: Sequence[Compared]) -> ReportTable:
    """The figures; with a column for the report's where it gives any of them."""
    rows = [(row.what, _written(row, row.measured), _written(row, row.report)) for row in compared]
    width = 3 if any(row.report is not None for row in compared) else 2
    return ReportTable("", COLUMNS[:width], [row[:width] for row in rows], len(rows))


def _written(row: Compared, value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, int):
        return f"{value:,}"
    return format_value("seconds" if row.unit == SECONDS else "", value)


def _missing(section: Section, parts: Parts) -> list[str]:
    """Each reason once, however many parts it kept from being made."""
    reasons = (parts.failed[part.name] for part in section.parts if part.name in parts.failed)
    return list(dict.fromkeys(reasons))


def _images(part: Part, parts: Parts) -> Iterator[EmbeddedImage]:
    if part.name not in parts.results or not part.shows:
        return
    images = load_contents(parts.folder(part.name)).images
    for name in part.shows:
        for figure in images:
            if fnmatchcase(figure.name, name):
                yield EmbeddedImage(f"{part.name}: {figure.caption}", figure.source, figure.name)


def _figures(section: Section, parts: Parts) -> dict[str, Any]:
    said = _said(section, parts)
    return {
        "title": section.title,
        "said": said.plain,
        "figures": [_entry(row) for row in said.rows],
        "missing": _missing(section, parts),
        "run": {part.name: parts.results[part.name].get("run") for part in section.parts if part.name in parts.results},
    }


def _entry(row: Compared) -> dict[str, Any]:
    measured = "seconds" if row.unit == SECONDS else "measured"
    return {"what": row.what, measured: row.measured, "report": row.report}
