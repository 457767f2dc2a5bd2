"""Text that any terminal takes."""

from __future__ import annotations

import codecs
import sys
from contextlib import suppress

STAND_INS = {"→": "->", "∞": "inf", "×": "x", "–": "-", "…": "...", "≤": "<=", "≥": ">=", "±": "+-", "·": "-", "─": "-"}
"""What is written for a sign of ours that an encoding lacks."""


def printable(text: str) -> str:
    """Undecodable bytes and control characters as escapes."""
    safe = text.encode("utf-8", "backslashreplace").decode("utf-8")
    return "".join(char if char.isprintable() or char == "\n" else ascii(char)[1:-1] for char in safe)


def write_what_there_is() -> None:
    """From now on, what the encoding of stdout or stderr lacks is a stand-in or an escape there, and no error."""
    codecs.register_error("stand-in", _stand_in)
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)  # None: no such stream, or one of a program around us
        if reconfigure is not None:
            with suppress(ValueError, OSError):  # it is closed, or a program around us has taken it apart
                reconfigure(errors="stand-in")


def _stand_in(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    lacking = error.object[error.start : error.end]
    text = "".join(STAND_INS.get(char) or ascii(char)[1:-1] for char in lacking)
    return text, error.end
