"""Names that came from outside, made safe and short enough to draw.

Class and file names are whatever a folder was called: they may hold control characters, halves of surrogate pairs or
marks that turn the reading direction, and they may be hundreds of characters long.
"""

import unicodedata
from collections.abc import Callable, Mapping
from typing import Any

from vitrail.formatting import percent

_JOINERS = "\u200c\u200d"  # invisible, but Persian and the Indic scripts are misspelt without them
_ELLIPSIS = "…"


def readable(text: str) -> str:
    r"""The text with every character that would not show as itself written as its escape, `\x1b` or `\u202e`."""
    return "".join(_escape(one) if _hidden(one) else one for one in text)


def class_caption(target: Mapping[str, Any]) -> tuple[str, ...]:
    """A class as `result.json` has it (`name`, `probability`), as two lines under an image."""
    return str(target["name"]), percent(target["probability"])


def shorten(text: str, limit: int = 32) -> str:
    """At most `limit` characters: the middle gives way, as the ends of a name usually tell it from its neighbours."""
    if len(text) <= limit:
        return text
    tail = (limit - 1) // 2
    # A mark that has lost its letter would sit on the ellipsis.
    end = text[len(text) - tail :].lstrip("".join(c for c in text[-tail:] if unicodedata.combining(c)))
    return text[: limit - 1 - tail] + _ELLIPSIS + end


def escape_missing_glyphs(text: str, has_glyph: Callable[[str], bool]) -> str:
    r"""The text with every character the font lacks written as its escape, as an empty box says nothing.

    Args:
        has_glyph: whether the font draws this one character.
    """
    return "".join(one if one.isascii() or has_glyph(one) else _escape(one) for one in text)


def _hidden(character: str) -> bool:
    # "C*": control, format, surrogate, private, unassigned; "Zl", "Zp": line and paragraph separators.
    kind = unicodedata.category(character)
    return (kind[0] == "C" or kind in ("Zl", "Zp")) and character not in _JOINERS


def _escape(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")
