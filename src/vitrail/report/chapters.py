"""A page in chapters: sentences, figures beside those of somebody else, images, and what could not be shown."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from vitrail.files import write_text
from vitrail.report.reading import Figure, Sheet
from vitrail.report.templates import template
from vitrail.version import __version__


@dataclass(frozen=True)
class Section:
    """One question, and what came out.

    Attributes:
        missing: sentences, one for each thing that could not be done.
        runs: folders, relative to the page, of what was done.
    """

    title: str
    sentences: Sequence[str]
    sheet: Sheet
    figures: Sequence[Figure] = ()
    missing: Sequence[str] = ()
    runs: Sequence[str] = ()


@dataclass(frozen=True)
class Chapter:
    """Sections under a heading, and a note that is true of all."""

    title: str
    sections: Sequence[Section]
    note: str = ""


def build_chapters(chapters: Sequence[Chapter], path: Path, *, title: str, about: str) -> None:
    """Writes the chapters to one HTML file that needs no other file, no network and no script.

    Raises:
        MissingExtra: jinja2 is not installed.
        CannotWrite: `path` cannot be written.
    """
    page = template("chapters.html").render(title=title, about=about, version=__version__, chapters=chapters)
    write_text(path, page)
