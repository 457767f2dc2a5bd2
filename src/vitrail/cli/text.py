"""Text that any terminal takes."""

from __future__ import annotations


def printable(text: str) -> str:
    """Undecodable bytes and control characters as escapes."""
    safe = text.encode("utf-8", "backslashreplace").decode("utf-8")
    return "".join(char if char.isprintable() or char == "\n" else ascii(char)[1:-1] for char in safe)
