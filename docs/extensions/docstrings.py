"""Our docstrings are plain prose; what reStructuredText would take for markup in them is meant as it stands."""

import re
from textwrap import indent
from typing import Any

from sphinx.application import Sphinx

CODE, MARK = re.compile(r"(`[^`]*`)"), re.compile(r"[|*]|(?<=\w)_(?!\w)")
DRAWN = "├└│"
SEVERAL = re.compile(r"^:ivar (\w+(?:, \w+)+):")


def plain(*given: Any) -> None:
    """Escapes stars, bars and trailing underscores outside backticks; leaves drawings as they are drawn."""
    lines: list[str] = given[-1]
    lines[:] = "\n\n".join(map(_paragraph, "\n".join(lines).split("\n\n"))).split("\n")


def _paragraph(text: str) -> str:
    if any(mark in text for mark in DRAWN):
        return f"::\n\n{indent(text, '    ')}"
    return "\n".join(map(_escaped, text.split("\n")))


def _escaped(line: str) -> str:
    prose, *rest = CODE.split(line)
    found = [MARK.sub(r"\\\g<0>", prose)]
    for code, prose in zip(rest[::2], rest[1::2], strict=True):
        apart = r"\ " if prose[:1].isalnum() else ""  # `PixelSet`s: the plural is no part of the name
        found += [code, apart, MARK.sub(r"\\\g<0>", prose)]
    return "".join(found)


def together(*given: Any) -> None:
    """Keeps attributes that are described together in one word: Sphinx would take the first for the others' type."""
    lines: list[str] = given[-1]
    lines[:] = [SEVERAL.sub(lambda names: f":ivar {names[1].replace(', ', ',')}:", line) for line in lines]


def setup(app: Sphinx) -> dict[str, bool]:
    """Called by Sphinx; napoleon reads the sections in between."""
    app.connect("autodoc-process-docstring", plain, priority=100)
    app.connect("autodoc-process-docstring", together, priority=900)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
