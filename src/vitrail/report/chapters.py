"""A page in chapters: findings, tables beside reference values, images, and what could not be measured."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from vitrail.files import write_text
from vitrail.report.contents import EmbeddedImage, ReportTable
from vitrail.report.templates import template
from vitrail.version import __version__

MULTIPLES = 6  # images of a section that are seen without unfolding
WIDEST = 3  # columns of a table beside which images fit


@dataclass(frozen=True)
class Section:
    """One question and its results.

    Attributes:
        missing: reasons why parts of the section have no result.
        runs: run folders, relative to the page.
        folded: whether the table follows the images, folded away.
        multiples: whether the images stand in columns, beside the table where it is narrow; those after the first
            `MULTIPLES` are folded away.
    """

    title: str
    sentences: Sequence[str]
    table: ReportTable
    images: Sequence[EmbeddedImage] = ()
    missing: Sequence[str] = ()
    runs: Sequence[str] = ()
    folded: bool = False
    multiples: bool = False


@dataclass(frozen=True)
class Chapter:
    """Sections under a heading, with a note that applies to all of them."""

    title: str
    sections: Sequence[Section]
    note: str = ""

    @property
    def runs(self) -> list[str]:
        """The run folders of all sections, each once."""
        return list(dict.fromkeys(run for section in self.sections for run in section.runs))


def build_chapters(chapters: Sequence[Chapter], path: Path, *, title: str, about: str) -> None:
    """Writes the page of `render_chapters`.

    Raises:
        MissingExtra: jinja2 is not installed.
        CannotWrite: `path` cannot be written.
    """
    write_text(path, render_chapters(chapters, title=title, about=about), within=None)


def render_chapters(chapters: Sequence[Chapter], *, title: str, about: str) -> str:
    """The chapters as HTML that needs no other file, no network and no script.

    Raises:
        MissingExtra: jinja2 is not installed.
    """
    return template("chapters.html").render(
        title=title, about=about, version=__version__, chapters=chapters, first=MULTIPLES, widest=WIDEST
    )
