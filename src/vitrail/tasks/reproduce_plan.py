"""What a chapter is made of: sections that ask a question, and parts that are runs of ordinary tasks."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from vitrail.errors import VitrailError
from vitrail.task import Task

Figures = Mapping[str, Any]
"""A run's `result.json`."""

Number = float | int | str | None

SECONDS = "s"
"""Unit of what measures the machine, and is kept apart from what comes out."""


@dataclass(frozen=True)
class Compared:
    """A figure of this run, and the report's where it gives one."""

    what: str
    measured: Number
    report: Number = None
    unit: str = ""


@dataclass(frozen=True)
class Said:
    """What results come to: sentences computed from them, and figures."""

    sentences: Sequence[str]
    rows: Sequence[Compared] = ()

    @property
    def plain(self) -> list[str]:
        """The sentences for a terminal or a program: spaces are spaces."""
        return [sentence.replace("\u00a0", " ") for sentence in self.sentences]


@dataclass(frozen=True)
class Part:
    """One run of a task.

    Attributes:
        name: of its folder in `parts/`.
        task: None where something is missing; `missing` says what.
        shows: names of its images that the page shows, `*` standing for anything.
        after: names of parts whose folders it reads.
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
        say: what the results come to, by the names of the parts; of those that are there.
    """

    title: str
    parts: Sequence[Part]
    say: Callable[[Mapping[str, Figures]], Said]


@dataclass(frozen=True)
class Chapter:
    """Sections in the report's order; `note` says in what this differs from the report's own settings."""

    name: str
    title: str
    sections: Sequence[Section]
    note: str = ""


@dataclass(frozen=True)
class Wanted:
    """A part that is being planned: the first thing that is missing is what is said.

    Attributes:
        missing: a sentence, or none.
    """

    name: str
    missing: str = field(default="")

    def run(self, kind: str, shows: tuple[str, ...] = (), after: tuple[str, ...] = (), **settings: Any) -> Part:
        """The part, its task's settings checked; a setting that is wrong is what is missing then."""
        from vitrail.tasks import TASKS

        if self.missing:
            return Part(self.name, kind, None, self.missing, shows, after)
        try:
            return Part(self.name, kind, TASKS[kind](**settings), "", shows, after)
        except VitrailError as error:
            return Part(self.name, kind, None, str(error), shows, after)
