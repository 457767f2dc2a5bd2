"""The plan of a chapter: sections that ask a question, and steps that are runs of ordinary tasks."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from vitrail.errors import VitrailError
from vitrail.task import Task

Values = Mapping[str, Any]
"""A run's `result.json`."""

Number = float | int | str | None

SECONDS = "s"
"""Unit of times, which measure the machine and are kept apart from the other values."""


@dataclass(frozen=True)
class Comparison:
    """A value of this run, and the report's where it gives one."""

    what: str
    measured: Number
    report: Number = None
    unit: str = ""


@dataclass(frozen=True)
class Findings:
    """Sentences computed from results, and the values behind them."""

    sentences: Sequence[str]
    rows: Sequence[Comparison] = ()


@dataclass(frozen=True)
class Step:
    """One run of a task.

    Attributes:
        name: of its folder in `steps/`.
        task: None where something is missing; `missing` says what.
        shows: names of its images that the page shows, `*` is a wildcard.
        after: names of steps whose folders it reads.
    """

    name: str
    kind: str
    task: Task | None
    missing: str = ""
    shows: tuple[str, ...] = ()
    after: tuple[str, ...] = ()


@dataclass(frozen=True)
class Section:
    """One question.

    Attributes:
        summarise: what the results come to, by the names of the steps; of those that are there.
    """

    title: str
    steps: Sequence[Step]
    summarise: Callable[[Mapping[str, Values]], Findings]


@dataclass(frozen=True)
class Chapter:
    """Sections in the report's order; `note` says in what this differs from the report's own settings."""

    name: str
    title: str
    sections: Sequence[Section]
    note: str = ""


@dataclass(frozen=True)
class StepRequest:
    """A step that is being planned; the first input that is missing becomes its reason.

    Attributes:
        missing: a sentence, or none.
    """

    name: str
    missing: str = field(default="")

    def run(self, kind: str, shows: tuple[str, ...] = (), after: tuple[str, ...] = (), **settings: Any) -> Step:
        """The step, its task's settings checked; a setting that is wrong is what is missing then."""
        from vitrail.tasks import TASKS

        if self.missing:
            return Step(self.name, kind, None, self.missing, shows, after)
        try:
            return Step(self.name, kind, TASKS[kind](**settings), "", shows, after)
        except VitrailError as error:
            return Step(self.name, kind, None, str(error), shows, after)
