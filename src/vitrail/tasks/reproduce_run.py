"""A reproduction from its plan to its page."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vitrail.errors import BadSetting
from vitrail.events import Event, Note, Progress, Result
from vitrail.report.chapters import build_chapters
from vitrail.tasks.reproduce_material import Material
from vitrail.tasks.reproduce_page import chapter_of, figures_of
from vitrail.tasks.reproduce_parts import Parts
from vitrail.tasks.reproduce_plan import Chapter, Part
from vitrail.tasks.reproduce_sizes import SIZES
from vitrail.tasks.reproduce_tp7 import tp7
from vitrail.tasks.reproduce_tp8 import tp8
from vitrail.tasks.reproduce_tp9 import tp9
from vitrail.tasks.reproduce_tp10 import tp10

if TYPE_CHECKING:
    from vitrail.tasks.reproduce import Reproduce

CHAPTERS: dict[str, Callable[[Material], Chapter]] = {"tp7": tp7, "tp8": tp8, "tp9": tp9, "tp10": tp10}
"""In the report's order."""


def run(task: Reproduce, folder: Path) -> Iterator[Event]:
    """See `Reproduce.run_in`.

    Raises:
        BadSetting: the folder of data, or of weights, is none.
    """
    started = time.perf_counter()
    material = _material(task, folder.resolve())
    chosen = [task.chapter] if task.chapter != "all" else list(CHAPTERS)
    chapters = [CHAPTERS[name](material) for name in chosen]
    parts = Parts(material.run)
    plan = _plan(chapters)
    for number, part in enumerate(plan, 1):
        yield from parts.make(part)
        yield Progress("parts", number, len(plan), unit="parts", detail=part.name)
    found = [figures_of(chapter, parts) for chapter in chapters]
    for section in (section for chapter in found for section in chapter["sections"]):
        yield Note(f"\n{section['title']}: {' '.join([*section['said'], *section['missing']])}")
    yield from _page(material, chapters, parts)
    yield Result(
        {
            "backbone": _networks(parts),
            "device": task.device,
            "skipped": [{"file": name, "reason": reason} for name, reason in parts.failed.items()],
            "budget": task.budget,
            "chapters": found,
            "page": "report.html",
            "seconds": {
                **{name: result["seconds"]["total"] for name, result in parts.results.items() if "seconds" in result},
                "total": time.perf_counter() - started,
            },
        }
    )


def _material(task: Reproduce, folder: Path) -> Material:
    for option, given in (("--data", task.data), ("--weights", task.weights)):
        if given is not None and not given.is_dir():
            raise BadSetting(f"{option} must be a folder; got {str(given)!r}, which is none.")
    weights = task.weights.resolve() if task.weights else None
    return Material(task.data.resolve(), folder, weights, SIZES[task.budget], task.seed, task.device)


def _plan(chapters: Sequence[Chapter]) -> list[Part]:
    """Every part once, though several sections may speak of it."""
    named = {part.name: part for chapter in chapters for section in chapter.sections for part in section.parts}
    return list(named.values())


def _page(material: Material, chapters: Sequence[Chapter], parts: Parts) -> Iterator[Event]:
    page = material.run / "report.html"
    about = f"Every figure was measured in this run, on {material.data.name!r}. {material.sizes.about}"
    build_chapters(
        [chapter_of(chapter, parts) for chapter in chapters],
        page,
        title="The labs' report, measured again",
        about=about,
    )
    yield Note(f"Page: {page}")


def _networks(parts: Parts) -> list[dict[str, Any]]:
    """All networks that took part, once each."""
    networks = [network for result in parts.results.values() for network in result.get("backbone", [])]
    return list({str(network): network for network in networks}.values())
