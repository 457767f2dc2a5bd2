"""A reproduction from its plan to its page."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from vitrail.errors import BadSetting
from vitrail.events import Event, Note, Progress, Result
from vitrail.report.chapters import build_chapters
from vitrail.reproduction.budgets import BUDGETS
from vitrail.reproduction.conditional_gan import conditional_gan_chapter
from vitrail.reproduction.explain import explain_chapter
from vitrail.reproduction.gan import gan_chapter
from vitrail.reproduction.inputs import Inputs
from vitrail.reproduction.page import chapter_values, page_chapter
from vitrail.reproduction.plan import Chapter, Step
from vitrail.reproduction.steps import Steps
from vitrail.reproduction.transfer import transfer_chapter

CHAPTERS: dict[str, Callable[[Inputs], Chapter]] = {
    "transfer": transfer_chapter,
    "explain": explain_chapter,
    "gan": gan_chapter,
    "conditional-gan": conditional_gan_chapter,
}
"""In the report's order."""


def open_inputs(data: Path, folder: Path, *, weights: Path | None, budget: str, seed: int, device: str) -> Inputs:
    """The inputs of a reproduction in the run folder `folder`.

    Raises:
        BadSetting: `data` or `weights` is not a folder.
    """
    for option, given in (("--data", data), ("--weights", weights)):
        if given is not None and not given.is_dir():
            raise BadSetting(f"{option} must be a folder; got {str(given)!r}, which is none.")
    return Inputs(
        data.resolve(), folder.resolve(), weights.resolve() if weights else None, BUDGETS[budget], seed, device
    )


def reproduce(chapter: str, inputs: Inputs) -> Iterator[Event]:
    """Runs the steps of one chapter, or of `all`, and writes the page; the last event is the `Result`."""
    started = time.perf_counter()
    chapters = [CHAPTERS[name](inputs) for name in ([chapter] if chapter != "all" else CHAPTERS)]
    steps = Steps(inputs.run)
    plan = plan_of(chapters)
    for number, step in enumerate(plan, 1):
        yield from steps.complete(step)
        yield Progress("steps", number, len(plan), unit="steps", detail=step.name)
    values = [chapter_values(one, steps) for one in chapters]
    for section in (section for one in values for section in one["sections"]):
        yield Note(f"\n{section['title']}: {' '.join([*section['findings'], *section['missing']])}")
    yield from _write_page(inputs, chapters, steps)
    yield Result(
        {
            "backbone": _networks(steps),
            "device": inputs.device,
            "skipped": [{"file": name, "reason": reason} for name, reason in steps.failed.items()],
            "budget": inputs.budget.name,
            "chapters": values,
            "page": "report.html",
            "seconds": {
                **{name: result["seconds"]["total"] for name, result in steps.results.items() if "seconds" in result},
                "total": time.perf_counter() - started,
            },
        }
    )


def plan_of(chapters: Sequence[Chapter]) -> list[Step]:
    """Every step once, though several sections may refer to it."""
    by_name = {step.name: step for chapter in chapters for section in chapter.sections for step in section.steps}
    return list(by_name.values())


def _write_page(inputs: Inputs, chapters: Sequence[Chapter], steps: Steps) -> Iterator[Event]:
    page = inputs.run / "report.html"
    about = f"Every value was measured in this run, on {inputs.data.name!r}. {inputs.budget.about}"
    build_chapters(
        [page_chapter(chapter, steps) for chapter in chapters],
        page,
        title="The labs' report, measured again",
        about=about,
    )
    yield Note(f"Page: {page}")


def _networks(steps: Steps) -> list[dict[str, Any]]:
    """All networks that took part, once each."""
    networks = [network for result in steps.results.values() for network in result.get("backbone", [])]
    return list({str(network): network for network in networks}.values())
