"""A table in the width of a terminal: no word broken, no number folded; the last columns go first."""

from __future__ import annotations

import os
from collections.abc import Sequence
from textwrap import fill
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.cells import cell_len, chop_cells
from rich.markup import escape
from rich.table import Table as Grid

from vitrail.cli.text import printable
from vitrail.events import Table

SHORTEST = 14
"""Cells that a long text keeps, its middle left out, before a column is dropped."""

BETWEEN = 2
PROSE = 5  # words from which a text is wrapped, not shortened, as a list of names is


def grid(table: Table, width: int | None = None, *, stored: bool = True) -> Grid:
    """A table as rich draws it, numbers to the right.

    Args:
        width: cells that a line has; where the columns need more, texts are shortened in their middle, then the last
            columns are left out, and the title says where they are. None: everything, however wide.
        stored: whether the whole table is in the run folder.
    """
    columns = [printable(column) for column in table.columns]
    texts = [[printable(cell(row[index])) for row in table.rows] for index in range(len(columns))]
    numeric = [_is_numeric([row[index] for row in table.rows]) for index in range(len(columns))]
    widths = [_natural(column, text) for column, text in zip(columns, texts, strict=True)]
    shown = len(columns)
    if width is not None:
        least = [
            natural if fixed else min(natural, max(SHORTEST, _longest_word(column)))
            for natural, fixed, column in zip(widths, numeric, columns, strict=True)
        ]
        while shown > 1 and _total(least[:shown]) > width:
            shown -= 1
        widths = _shared(widths[:shown], least[:shown], width)
        texts = [_without_folder(text, room) for text, room in zip(texts, widths, strict=False)]
    hidden = columns[shown:]
    title = escape(_by_words(printable(table.title), width))
    place = f"Also in tables/{table.name}.csv" if stored else "Not shown; in a wider terminal"
    caption = f"{place}: {', '.join(hidden)}" if hidden else None
    drawn = Grid(
        title=title,
        caption=escape(_by_words(caption, width)) if caption else None,
        title_justify="left",
        caption_justify="left",
        header_style="bold",
        box=SIMPLE_HEAD,
        pad_edge=False,
        padding=(0, 1),
        title_style="italic",
        show_edge=False,
    )
    for index in range(shown):
        drawn.add_column(escape(columns[index]), justify="right" if numeric[index] else "left", width=widths[index])
    for number in range(len(table.rows)):
        drawn.add_row(*(escape(shortened(texts[index][number], widths[index])) for index in range(shown)))
    return drawn


def cell(value: Any) -> str:
    """A value as a table shows it: four significant digits, thousands in groups, nothing for None."""
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value + 0.0:.4g}" if abs(value) < 1000 else f"{value:,.0f}"  # no "-0"
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)


def shortened(text: str, width: int) -> str:
    """The text in lines of at most `width` cells; a name without its middle, since names differ at both ends."""
    lines = text.split("\n")
    if max(map(cell_len, lines)) > width and (", " in text or len(text.split()) >= PROSE):
        return _by_words(" ".join(lines), width)
    if len(lines) > 1:
        return "\n".join(shortened(line, width) for line in lines)
    if cell_len(text) <= width or width < 3:
        return text
    end = (width - 1) // 2
    start = chop_cells(text, width - 1 - end)[0]
    tail = text[len(text) - end :]
    while cell_len(tail) > end:
        tail = tail[1:]
    return f"{start}…{tail}"


def _without_folder(texts: list[str], width: int) -> list[str]:
    """Paths that have no room, without the folders that all of them begin with: what differs must be seen."""
    folder = os.path.commonprefix(texts).rpartition("/")[0] if len(texts) > 1 else ""
    if not folder or max(map(cell_len, texts)) <= width:
        return texts
    return [f"…{text.removeprefix(folder)}" for text in texts]


def _by_words(text: str, width: int | None) -> str:
    """The text in lines of at most `width` characters; a longer word has a line of its own."""
    return text if width is None else fill(text, width, break_long_words=False, break_on_hyphens=False)


def _is_numeric(values: Sequence[Any]) -> bool:
    return all(isinstance(value, (int, float, type(None))) for value in values)


def _natural(column: str, texts: Sequence[str]) -> int:
    """Cells of the widest value, and of the heading's longest word: headings may take several lines."""
    values = max((cell_len(line) for text in texts for line in text.split("\n")), default=0)
    return max(values, _longest_word(column), 1)


def _longest_word(column: str) -> int:
    return max((cell_len(word) for word in column.split()), default=0)


def _total(widths: Sequence[int]) -> int:
    return sum(widths) + (1 + BETWEEN) * len(widths)


def _shared(widths: Sequence[int], least: Sequence[int], width: int) -> list[int]:
    """Least widths, and what the line has left given to the columns that need more, a cell at a time."""
    chosen = list(least)
    spare = width - _total(least)
    while spare > 0 and any(now < most for now, most in zip(chosen, widths, strict=True)):
        narrowest = min((now, index) for index, now in enumerate(chosen) if now < widths[index])[1]
        chosen[narrowest] += 1
        spare -= 1
    return chosen
